"""Starting a machine against virsh, and the statistics of a thousand."""

import time
import uuid
from pathlib import Path
from typing import Any

from daemon import cpu_seconds
from figures import Figure, in_turn, percentile
from lab.libvirtd import PrivateLibvirtd
from lab.virgated import Running

MACHINES = 1000
PERIOD = 15.0


def create_against_virsh(folder: Path) -> list[Figure]:
    with PrivateLibvirtd(folder / "l") as libvirtd:
        running = Running(folder, uri=libvirtd.uri).start()
        try:
            xml = folder / "same.xml"
            vm = start(running)[0]
            xml.write_text(libvirtd.virsh("dumpxml", "--inactive", vm))
            running.api.destroy(vm)
            ours, theirs = in_turn(7, lambda: by_us(running), lambda: by_virsh(libvirtd, vm, xml))
        finally:
            running.end()
    target = "1.15x + 50 ms"
    return [Figure("create to running, against virsh create", ours * 1000, "ms", target, theirs * 1000)]


def start(running: Running) -> tuple[str, float]:
    vm = str(uuid.uuid4())
    params = {"vmId": vm, "vmName": f"n{vm[:8]}", "memSize": "64", "kvmEnable": "false"}
    started = time.perf_counter()
    made = running.api.create(params)
    if made["status"]["code"]:
        raise RuntimeError(str(made["status"]))
    while (status := machine(running, vm)["status"]) != "Up":
        if status == "Down":
            raise RuntimeError(running.api.getVmStats(vm)["statsList"][0]["exitMessage"])
        time.sleep(0.002)
    return vm, time.perf_counter() - started


def machine(running: Running, vm: str) -> Any:
    return running.api.list(False, [vm])["vmList"][0]


def by_us(running: Running) -> float:
    vm, seconds = start(running)
    running.api.destroy(vm)
    return seconds


def by_virsh(libvirtd: PrivateLibvirtd, vm: str, xml: Path) -> float:
    started = time.perf_counter()
    libvirtd.virsh("create", str(xml))
    seconds = time.perf_counter() - started
    libvirtd.virsh("destroy", vm)
    return seconds


def statistics_of_a_thousand(folder: Path) -> list[Figure]:
    """libvirt's test driver plays a host with a thousand machines of ours."""
    host = folder / "host.xml"
    host.write_text(f"<node>{''.join(domain(number) for number in range(MACHINES))}</node>")
    running = Running(folder, uri=f"test://{host}").start()
    assert running.process is not None
    try:
        running.until(lambda: len(running.api.getAllVmStats()["statsList"]) == MACHINES, "all are managed", 120)
        time.sleep(PERIOD + 5)  # two samples, so that answers are as large as they get
        pid = running.process.pid
        before, begun = cpu_seconds(pid), time.perf_counter()
        time.sleep(2 * PERIOD)
        sampling = (cpu_seconds(pid) - before) / (time.perf_counter() - begun) * 100
        asked = []
        for _ in range(40):
            begun = time.perf_counter()
            raw_call(running.port)
            asked.append((time.perf_counter() - begun) * 1000)
        return [
            Figure("getAllVmStats, 1000 machines, p50", percentile(asked, 0.5), "ms", "under 60 ms"),
            Figure("sampling 1000 machines, CPU", sampling, "% of a core", "under 15 %"),
        ]
    finally:
        running.end()


def raw_call(port: int) -> bytes:
    """The whole answer as bytes: what the client does with them is not the daemon's time."""
    import http.client

    link = http.client.HTTPConnection("127.0.0.1", port)
    body = "<?xml version='1.0'?><methodCall><methodName>getAllVmStats</methodName><params/></methodCall>"
    link.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
    answer = link.getresponse().read()
    link.close()
    return answer


def domain(number: int) -> str:
    return f"""<domain type='test'><name>m{number}</name><uuid>{uuid.UUID(int=number + 1)}</uuid>
<memory>65536</memory><currentMemory>65536</currentMemory><vcpu>1</vcpu>
<metadata><ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'><clusterVersion>4.8</clusterVersion></ovirt-vm:vm></metadata>
<os><type>hvm</type></os></domain>"""
