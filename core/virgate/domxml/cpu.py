"""`<cpu>`, `<vcpu>`, `<cputune>` and `<numatune>`: how many processors of which kind, and where they run."""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts
from virgate.domxml.fitting import machine_of, offers_for, passed_on
from virgate.domxml.tree import Element, element
from virgate.domxml.values import integer, struct, structs, text


def count(conf: Mapping[str, Any]) -> tuple[int, int]:
    """Processors now and at most."""
    now = integer(conf, "smp", 1)
    return now, integer(conf, "maxVCpus", now)


def vcpu(conf: Mapping[str, Any]) -> Element:
    now, most = count(conf)
    return element("vcpu", text=most, current=now)


def cpu(conf: Mapping[str, Any], facts: HostFacts) -> Element:
    """The processor's kind, topology and memory cells. Foreign architectures get the model alone."""
    if not facts.is_x86:
        model = text(conf, "cpuType", "POWER8" if facts.is_power else "")
        return element("cpu", element("model", text=model) if model else None, _topology(conf), _numa(conf))
    kind = text(conf, "cpuType", "qemu64")
    model, *wanted = [part.strip() for part in kind.split(",")]
    if kind in ("hostPassthrough", "hostModel"):
        mode = passed_on(offers_for(machine_of(conf), facts)) if kind == "hostPassthrough" else "host-model"
        return element("cpu", _topology(conf), _numa(conf), match=None if mode == "maximum" else "exact", mode=mode)
    if model == "qemu64" and "+svm" not in wanted and "-svm" not in wanted:
        wanted.append("-svm")
    features = [_feature(word) for word in wanted if word]
    return element("cpu", element("model", text=model), _topology(conf), *features, _numa(conf), match="exact")


def _feature(word: str) -> Element:
    policies = {"+": "require", "-": "disable"}
    if word[0] not in policies:
        raise BadDevice("cpu", f"a flag starts with + or -, not {word!r}")
    name = word[1:]
    if name.startswith("sse4_"):
        name = "sse4." + name.removeprefix("sse4_")
    return element("feature", name=name, policy=policies[word[0]])


def _topology(conf: Mapping[str, Any]) -> Element | None:
    if not conf.keys() & {"smpCoresPerSocket", "smpThreadsPerCore"}:
        return None
    cores, threads = integer(conf, "smpCoresPerSocket", 1), integer(conf, "smpThreadsPerCore", 1)
    if cores < 1 or threads < 1:
        raise BadDevice("cpu", f"no topology has {cores} cores of {threads} threads")
    return element("topology", sockets=count(conf)[1] // cores // threads, cores=cores, threads=threads)


def _numa(conf: Mapping[str, Any]) -> Element | None:
    """The guest's memory cells; a machine whose memory can grow needs one, so it gets one of everything."""
    nodes = structs(conf, "guestNumaNodes")
    if not nodes and conf.get("maxMemSize"):
        most = count(conf)[1]
        nodes = [{"nodeIndex": 0, "cpus": f"0-{most - 1}" if most > 1 else "0", "memory": conf["memSize"]}]
    if not nodes:
        return None
    cells = sorted(nodes, key=lambda node: integer(node, "nodeIndex", 0))
    return element(
        "numa",
        *[
            element(
                "cell",
                id=integer(cell, "nodeIndex", 0),
                cpus=text(cell, "cpus"),
                memory=integer(cell, "memory") << 10,
                unit="KiB",
            )
            for cell in cells
        ],
    )


def cputune(conf: Mapping[str, Any]) -> Element | None:
    pins = struct(conf, "cpuPinning")
    return (
        element("cputune", *[element("vcpupin", vcpu=one, cpuset=where) for one, where in pins.items()])
        if pins
        else None
    )


def numatune(conf: Mapping[str, Any]) -> Element | None:
    wanted = struct(conf, "numaTune")
    if not wanted.get("nodeset"):
        return None
    return element("numatune", element("memory", mode=text(wanted, "mode", "strict"), nodeset=wanted["nodeset"]))


def shares(conf: Mapping[str, Any]) -> int | None:
    """The scheduler's weight that a running machine is given; None when nothing was asked for."""
    given = integer(conf, "cpuShares", 0)
    if given:
        return given
    if text(conf, "nice") == "":
        return None
    return (20 - min(max(integer(conf, "nice"), 0), 19)) * 51
