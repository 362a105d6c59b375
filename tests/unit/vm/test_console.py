"""Where a machine's console is, from its running document."""

import pytest

from virgate.node.vm.console import ConsolePlace, read
from virgate.node.vm.errors import NoConsole


def devices(inside: str) -> str:
    return f"<domain><devices>{inside}</devices></domain>"


@pytest.mark.parametrize(
    ("inside", "place"),
    [
        (
            "<console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/></console>",
            ConsolePlace("pty", "/dev/pts/3"),
        ),
        ("<console type='pty' tty='/dev/pts/4'/>", ConsolePlace("pty", "/dev/pts/4")),
        ("<serial type='unix'><source mode='bind' path='/run/c.sock'/></serial>", ConsolePlace("unix", "/run/c.sock")),
        ("<serial type='file'><source path='/log/c.txt'/></serial>", ConsolePlace("file", "/log/c.txt")),
        (
            "<serial type='file'><source path='/log'/></serial>"
            "<console type='pty'><source path='/dev/pts/5'/></console>",
            ConsolePlace("pty", "/dev/pts/5"),
        ),
    ],
)
def test_the_first_console_or_serial_line_with_a_place_is_taken(inside: str, place: ConsolePlace) -> None:
    assert read(devices(inside), "v") == place


@pytest.mark.parametrize("inside", ["", "<console type='pty'/>", "<serial type='tcp'><source host='h'/></serial>"])
def test_a_machine_without_one_says_what_to_do(inside: str) -> None:
    with pytest.raises(NoConsole) as none:
        read(devices(inside), "v")
    assert "console device" in str(none.value)
