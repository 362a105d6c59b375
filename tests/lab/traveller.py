"""A guest with the agent in it that counts, to its disk and over the network, and tells what its scripts are told."""

import re
from typing import Any

from lab.daemons import BRIDGE, DaemonHost, Daemons, boots
from lab.guests import GUEST
from lab.network import SUBNET

MIB = 1 << 20
BLOCK = 512
ADDRESS, NAME = f"{SUBNET}.99", "guest.example.test"
LISTENER = """
import asyncio, sys, time
log = open(sys.argv[1], "w", buffering=1)
async def hear(reader, writer):
    async for line in reader:
        log.write(f"{time.monotonic():.3f} {line.decode()}")
    writer.close()
async def main():
    async with await asyncio.start_server(hear, "0.0.0.0", 7777) as listening:
        log.write("ready\\n")
        await listening.serve_forever()
asyncio.run(main())
"""


class Traveller:
    """The guest, what it counted and where."""

    def __init__(self, daemons: Daemons, host: DaemonHost, *more: dict[str, Any]) -> None:
        """It runs, and its agent and the host have come to terms. `more` are devices."""
        self._log = daemons.lab.folder / "counted"
        script = daemons.lab.folder / "listener.py"
        script.write_text(LISTENER)
        daemons.lab.daemon("listener", [*daemons.network.enter, "python3", str(script), str(self._log)])
        disk = daemons.volume(host, 8 * MIB)
        drive = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "index": "0", **disk}
        nic = {"type": "interface", "device": "bridge", "network": BRIDGE, "nicModel": "pv"}
        nic |= {"macAddr": "52:54:00:77:00:01", "custom": {"kind": "first"}}
        words = f"console=ttyS0 rdinit=/agent-init virgate.ip={ADDRESS}/24 virgate.load=8"
        words += f" virgate.tick={SUBNET}.1:7777 virgate.notes={SUBNET}.1:7777"
        initrd = str(GUEST / "initrd-python.img")
        self.params = boots(kernelArgs=words, initrd=initrd, devices=[drive, nic, *more], smp="1")
        self.vm: str = self.params["vmId"]
        self.file = daemons.file(disk)
        host.until(self._log.exists, "the listener listens")
        host.call("create", self.params)
        host.until_status(self.vm, "Up")
        host.until(lambda: self.counted() > 5, "the guest counts", 60)
        self.agent_is_heard(host)
        host.until(lambda: host.stats(self.vm).get("guestTimezone"), "they speak version 3")

    def goes_on(self, host: DaemonHost) -> None:
        """It counts, and left no number out."""
        before = self.counted()
        host.until(lambda: self.counted() > before, "the guest counts on", 60)
        numbers = [number for _, number in self.heard()]
        assert numbers == list(range(len(numbers)))

    def heard(self) -> list[tuple[float, int]]:
        found = re.findall(r"^([\d.]+) TICK (\d+)$", self._log.read_text(), re.MULTILINE)
        return [(float(at), int(number)) for at, number in found]

    def counted(self) -> int:
        heard = self.heard()
        return heard[-1][1] if heard else -1

    def scripts(self) -> list[str]:
        """What the guest's own scripts told."""
        return re.findall(r"^[\d.]+ ((?!TICK).+)$", self._log.read_text(), re.MULTILINE)

    def agent_is_heard(self, host: DaemonHost) -> None:
        """Waits until the agent itself said all that clients want to know."""

        def told() -> bool:
            stats = host.stats(self.vm)
            names = stats.get("guestIPs"), stats.get("guestFQDN")
            return names == (ADDRESS, NAME) and any(one.startswith("virgate-guest-") for one in stats["appsList"])

        host.until(told, "the agent is heard", 60)

    def on_disk(self) -> list[int]:
        """The numbers from the first block on, as far as something is written."""
        data = self.file.read_bytes()
        blocks = (data[at : at + BLOCK].strip(b"\0 \n") for at in range(0, len(data), BLOCK))
        return [int(block) for block in blocks if block]
