"""Memory as heartbeats tell it (spec guest-agent 3.2)."""

import os

SIZES = {
    b"MemTotal": "mem_total",
    b"MemFree": "mem_unused",
    b"Buffers": "mem_buffers",
    b"Cached": "mem_cached",
    b"SwapTotal": "swap_total",
    b"SwapFree": "swap_free",
}
COUNTERS = {b"pswpin": "swap_in", b"pswpout": "swap_out", b"pgfault": "pageflt", b"pgmajfault": "majflt"}


def sizes(meminfo: bytes) -> "dict[str, int]":
    """KiB."""
    found = dict.fromkeys(SIZES.values(), 0)
    for line in meminfo.splitlines():
        name, _, rest = line.partition(b":")
        key = SIZES.get(name)
        if key is not None:
            found[key] = int(rest.split()[0])
    return found


def counters(vmstat: bytes) -> "dict[str, int]":
    """Since the guest started."""
    found = dict.fromkeys(COUNTERS.values(), 0)
    content = b"\n" + vmstat
    for name, key in COUNTERS.items():  # four finds are cheaper than two hundred lines
        place = content.find(b"\n" + name + b" ")
        if place >= 0:
            end = content.find(b"\n", place + 1)
            found[key] = int(content[place + len(name) + 2 : end if end > 0 else len(content)])
    return found


class Memory:
    """Reads both files; rates are those between two reads."""

    def __init__(self, proc: str = "/proc") -> None:
        self._files = [_open(proc + "/meminfo"), _open(proc + "/vmstat")]
        self._last: tuple[float, dict[str, int]] | None = None

    def sample(self, now: float) -> "tuple[str, dict[str, int]]":
        """Free memory in MiB as hosts want it, and the `memory-stat` of a heartbeat."""
        meminfo, vmstat = [_again(file) for file in self._files]
        told = sizes(meminfo)
        swap_free = told.pop("swap_free")
        told["swap_usage"] = told["swap_total"] - swap_free
        told["mem_free"] = told["mem_unused"] + told["mem_buffers"] + told["mem_cached"]
        told.update(self._rates(now, counters(vmstat)))
        return str(told["mem_free"] // 1024), told

    def _rates(self, now: float, counted: "dict[str, int]") -> "dict[str, int]":
        last, self._last = self._last, (now, counted)
        if last is None or now <= last[0]:
            return dict.fromkeys(counted, 0)
        return {key: max(0, int((count - last[1][key]) / (now - last[0]))) for key, count in counted.items()}


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _again(descriptor: int) -> bytes:
    """The file from its beginning; the kernel makes it anew for each read from there."""
    if descriptor < 0:
        return b""
    found = b""
    while True:
        piece = os.pread(descriptor, 32768, len(found))
        found += piece
        if not piece:
            return found
