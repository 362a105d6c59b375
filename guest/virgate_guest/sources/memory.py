"""Memory as heartbeats tell it (spec guest-agent 3.2)."""

import os

SIZES = {
    b"\nMemTotal:": "mem_total",
    b"\nMemFree:": "mem_unused",
    b"\nBuffers:": "mem_buffers",
    b"\nCached:": "mem_cached",
    b"\nSwapTotal:": "swap_total",
    b"\nSwapFree:": "swap_free",
}
COUNTERS = {b"\npswpin ": "swap_in", b"\npswpout ": "swap_out", b"\npgfault ": "pageflt", b"\npgmajfault ": "majflt"}


def numbers(listing: bytes, wanted: "dict[bytes, str]") -> "dict[str, int]":
    """The first number of each wanted line, 0 for lines that are not there. A few finds are cheaper than all lines."""
    content = b"\n" + listing
    found = {}
    for start, key in wanted.items():
        place = content.find(start)
        end = content.find(b"\n", place + 1)
        words = content[place + len(start) : end if end > 0 else len(content)].split() if place >= 0 else ()
        found[key] = int(words[0]) if words else 0
    return found


class Memory:
    """Reads both files; rates are those between two reads."""

    def __init__(self, proc: str = "/proc") -> None:
        self._files = [_open(proc + "/meminfo"), _open(proc + "/vmstat")]
        self._last: tuple[float, dict[str, int]] | None = None

    def sample(self, now: float) -> "tuple[str, dict[str, int]]":
        """Free memory in MiB as hosts want it, and the `memory-stat` of a heartbeat."""
        meminfo, vmstat = [_again(file) for file in self._files]
        told = numbers(meminfo, SIZES)
        swap_free = told.pop("swap_free")
        told["swap_usage"] = told["swap_total"] - swap_free
        told["mem_free"] = told["mem_unused"] + told["mem_buffers"] + told["mem_cached"]
        told.update(self._rates(now, numbers(vmstat, COUNTERS)))
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
