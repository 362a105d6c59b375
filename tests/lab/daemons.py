"""A whole virgated in each of several namespace hosts, with libvirtd and the storage that all of them see.

    hosts = Daemons(lab, network, cache)
    north, south = hosts.start("north", "south")
    north.call("migrate", {"vmId": vm, "dst": south.dst, ...})
    north.kill()                      # kill -9 of the daemon alone; `start` brings it back

The pool is a local domain in a folder of the lab: no host has a lease of it, all see the same files.
"""

import http.client
import shutil
import ssl
import time
import uuid
import xmlrpc.client
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.calls import Refused
from lab.cleanup import Lab
from lab.guests import GUEST
from lab.hosts import NamespaceHost
from lab.network import Network
from lab.process import Daemon
from virgate import pki

BLANK = "00000000-0000-0000-0000-000000000000"
PORT = 54321
BRIDGE = "ovirtmgmt"
BIN = Path(__file__).parents[2] / ".venv/bin"
RUN = "/run/virgate"


ODD_QEMU = f"""#!/bin/sh
sed -i -e "s#<emulator>.*</emulator>##" \\
    -e "s#<devices>#<devices><emulator>{Path(__file__).with_name("odd_qemu.sh")}</emulator>#" "$_hook_domxml"
"""
"""Real guests migrate right only with this QEMU."""


def new_id() -> str:
    return str(uuid.uuid4())


def boots(**more: Any) -> dict[str, Any]:
    """Parameters of a machine whose guest really runs."""
    vm = new_id()
    return {
        "vmId": vm,
        "vmName": f"n{vm[:8]}",
        "memSize": "192",
        "kvmEnable": "false",
        "kernel": str(GUEST / "vmlinuz"),
        "initrd": str(GUEST / "initrd.img"),
        "acpiEnable": "true",
        "devices": [],
        **more,
    }


class Daemons:
    """What the hosts share."""

    def __init__(self, lab: Lab, network: Network, cache: Path, *, tls: bool = False) -> None:
        self.lab, self.network, self.cache = lab, network, cache
        self.pool, self.domain = new_id(), new_id()
        self.storage = lab.subfolder("shared")
        self.tls: ssl.SSLContext | None = None
        self.pki = lab.subfolder("pki")
        if tls:
            pki.initialise(self.pki, [*network.addresses, *network.addresses.values()])
            self.tls = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
            self.tls.load_cert_chain(self.pki / "client.pem", self.pki / "client.key")

    def start(self, *names: str, settings: Mapping[str, object] | None = None) -> "list[DaemonHost]":
        hosts = [DaemonHost(self, name, settings or {}) for name in names]
        for host in hosts:
            host.begin()
        for number, host in enumerate(hosts, start=1):
            host.wait_until_it_answers()
            host.number = number
            host.join(make=number == 1)
        return hosts

    def volume(self, host: "DaemonHost", size: int, form: int = 5) -> dict[str, str]:
        """A new image; answers its ids as a disk of a machine names them."""
        image, volume = new_id(), new_id()
        asked = [self.domain, self.pool, image, str(size), form, 2, 2, volume, "of a test", BLANK, BLANK]
        host.task("createVolume", *asked)
        return {"poolID": self.pool, "domainID": self.domain, "imageID": image, "volumeID": volume}

    def file(self, disk: Mapping[str, str]) -> Path:
        return self.storage / disk["domainID"] / "images" / disk["imageID"] / disk["volumeID"]


class DaemonHost:
    """One host. It is not started when made."""

    def __init__(self, daemons: Daemons, name: str, settings: Mapping[str, object]) -> None:
        self.daemons = daemons
        self.host = NamespaceHost(daemons.lab, daemons.network, name, cache=daemons.cache)
        self._bridge(self.host.address)
        self.name, self.address, self.number = name, self.host.address, 0
        self.dst = f"{name}:{PORT}"
        self.settings = dict(settings)
        self.hooks = daemons.lab.subfolder(f"{name}/hooks.d")
        self.script("before_vm_start", ODD_QEMU, "10_emulator")
        self.log = self.host.folder / "virgated.log"
        self._daemon: Daemon | None = None
        scheme = "https" if daemons.tls else "http"
        self._url = f"{scheme}://{self.address}:{PORT}/"

    def _bridge(self, address: str) -> None:
        """The host's network, for guests too: what a manager calls ovirtmgmt.

        Its hardware address is its own. Else it would be the lowest of its ports', now and then that of a guest's port,
        which is the same on the host that the guest goes to: neither would hear the other any more.
        """
        hardware = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        for command in (
            f"link add {BRIDGE} address {hardware} type bridge",
            "address flush dev eth0",
            f"link set eth0 master {BRIDGE}",
            f"address add {address}/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ):
            self.host.run("ip", *command.split())

    @property
    def api(self) -> Any:
        """A new one for each call: daemons come and go."""
        return xmlrpc.client.ServerProxy(
            self._url, transport=_Transport(self.daemons.network, self.daemons.tls), allow_none=True
        )

    # -- the daemon

    def begin(self) -> None:
        self.host.libvirtd.virsh("version")
        self._daemon = self.host.start("virgated", *self.argv())

    def argv(self) -> list[str]:
        pki = self.daemons.pki
        settings = {
            "daemon.state_dir": f"{RUN}/state",
            "daemon.run_dir": RUN,
            "daemon.log_file": self.log,
            "hooks.directories": self.hooks,
            "hooks.timeout": 30,
            "libvirt.uri": self.host.libvirtd.uri,
            "machines.channels": f"{RUN}/channels",
            "machines.recovery_period": 0.2,
            "migration.uri": "qemu+tcp://{host}/system",
            "migration.trust_storage": "true",
            "migration.retry_after": 0.5,
            "xmlrpc.address": self.address,
            "xmlrpc.port": PORT,
            "xmlrpc.tls": "true" if self.daemons.tls else "false",
            "xmlrpc.certificate": pki / "host.pem",
            "xmlrpc.key": pki / "host.key",
            "xmlrpc.ca": pki / "ca.pem",
            **self.settings,
        }
        return [str(BIN / "virgated"), *(f"--set={key}={value}" for key, value in settings.items())]

    def certify(self, folder: Path) -> None:
        """Gives QEMU the certificates of `virgate pki` in a folder, for moves whose client wants them encrypted."""
        for name, source in (("ca-cert", "ca.pem"), ("server-cert", "host.pem"), ("client-cert", "host.pem")):
            shutil.copy(folder / source, self.host.stream / f"{name}.pem")
        for name in ("server-key", "client-key"):
            shutil.copy(folder / "host.key", self.host.stream / f"{name}.pem")

    def kill(self) -> None:
        """As a crash of the daemon alone; libvirt and guests go on."""
        assert self._daemon is not None
        self._daemon.kill()

    def restart(self) -> None:
        self.begin()
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        self.until(lambda: self.api.list()["status"]["code"] == 0, "the daemon answers")

    def until(self, true: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                if true():
                    return
            except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError):
                pass
            time.sleep(0.03)
        raise AssertionError(f"{self.name}: waited in vain until {what}\n{self.said()}")

    def said(self) -> str:
        log = self.log.read_text().splitlines() if self.log.exists() else []
        return "\n".join([line for line in log if " msg=call " not in line][-60:])

    # -- verbs

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        answer = dict(getattr(self.api, verb)(*arguments))
        status = answer.pop("status")
        if status["code"]:
            raise Refused(verb, status["code"], status["message"])
        return answer

    def code(self, verb: str, *arguments: Any) -> int:
        return int(getattr(self.api, verb)(*arguments)["status"]["code"])

    def task(self, verb: str, *arguments: Any) -> None:
        task = self.call(verb, *arguments)["uuid"]
        self.until(lambda: self._task(task)["taskState"] == "finished", f"{verb} is finished")
        ended = self._task(task)
        self.call("clearTask", task)
        assert (ended["taskResult"], ended["code"]) == ("success", 0), ended

    def _task(self, task: str) -> dict[str, Any]:
        return dict(self.call("getTaskStatus", task)["taskStatus"])

    def join(self, *, make: bool = False) -> None:
        """Storage and pool, as a manager connects them; the first host makes them and is the SPM."""
        shared, number = self.daemons, self.number
        (found,) = self.call("connectStorageServer", 4, BLANK, [{"id": "1", "connection": str(shared.storage)}])[
            "statuslist"
        ]
        assert found["status"] == 0, found
        if make:
            self.call("createStorageDomain", 4, shared.domain, "lab", str(shared.storage), 1, "5")
            self.call("createStoragePool", 4, shared.pool, "lab", shared.domain, [shared.domain], 1, "ON", 5, 60, 10, 3)
        self.call("connectStoragePool", shared.pool, number, shared.pool, shared.domain, 1)
        if number == 1:
            self.task("spmStart", shared.pool, -1, "-1", 0, "false", 250, "5")

    # -- machines

    def stats(self, vm: str) -> dict[str, Any]:
        return dict(self.call("getVmStats", vm)["statsList"][0])

    def status(self, vm: str) -> str:
        """The machine's own status, "gone" when nobody knows it."""
        found = self.call("list", False, [vm])["vmList"]
        return str(found[0]["status"]) if found else "gone"

    def until_status(self, vm: str, *wanted: str, seconds: float = 30.0) -> None:
        self.until(lambda: self.status(vm) in wanted, f"{vm} is {wanted}", seconds)

    def move(self, vm: str, there: "DaemonHost", **params: Any) -> None:
        """Begins to move a machine."""
        self.call("migrate", {"vmId": vm, "dst": there.dst, "mode": "remote", "method": "online", **params})

    def standing(self, vm: str) -> tuple[int, str]:
        status = self.call("migrateStatus", vm)["migrationStats"]["status"]
        return status["code"], status["message"]

    def until_over(self, vm: str, seconds: float = 60.0) -> tuple[int, str]:
        """How the machine's move ended."""
        self.until(lambda: self.standing(vm)[1] != "Migration in progress", "the move is over", seconds)
        return self.standing(vm)

    def defined(self) -> list[str]:
        return self.host.libvirtd.virsh("list", "--all", "--uuid").split()

    def script(self, point: str, text: str, name: str = "50_test") -> Path:
        path = self.hooks / point / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path


class _Transport(xmlrpc.client.Transport):
    """Connects from the lab's network."""

    def __init__(self, network: Network, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._network, self._tls = network, tls

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._network, self._tls, str(host))


class _Connection(http.client.HTTPConnection):
    def __init__(self, network: Network, tls: ssl.SSLContext | None, host: str) -> None:
        super().__init__(host, timeout=60)
        self._network, self._tls = network, tls

    def connect(self) -> None:
        plain = self._network.connect(self.host, self.port, 60)
        self.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)
