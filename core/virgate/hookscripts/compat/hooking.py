# mypy: ignore-errors
# ruff: noqa
"""What hook scripts import: `import hooking` or `from vdsm.hook import hooking`.

For the interpreter of the script, Python 2.7 or any Python 3; needs the standard library only. The functions are
those of the oVirt family (spec hooks 3).
"""

import io
import json
import os
import sys
from xml.dom import minidom

try:
    import urllib.parse  # scripts that say just `import urllib` count on it
except ImportError:
    import urllib

from vdsm.common import hooks

dump_vm_launch_flags_to_file = hooks.dump_vm_launch_flags_to_file
load_vm_launch_flags_from_file = hooks.load_vm_launch_flags_from_file


def read_domxml():
    """The document of an XML event: a domain, or one device."""
    with io.open(os.environ["_hook_domxml"], "rb") as source:
        return minidom.parseString(source.read())


def write_domxml(domxml):
    """Leaves a document, or its root element, as the event's document."""
    with io.open(os.environ["_hook_domxml"], "wb") as target:
        target.write(domxml.toxml(encoding="utf-8"))


def read_json():
    """The value of a JSON event."""
    with io.open(os.environ["_hook_json"], encoding="utf-8") as source:
        return json.load(source)


def write_json(data):
    """Leaves a value as the event's value."""
    with open(os.environ["_hook_json"], "w") as target:
        json.dump(data, target)


def log(message):
    """A line for the daemon's log, and for people when the script fails."""
    sys.stderr.write(message + "\n")


def exit_hook(message, return_code=2):
    """Ends the script: 1 fails and lets later scripts run, 2 fails and stops them."""
    log(message)
    sys.exit(return_code)


def tobool(s):
    """`true` in any case, or an integer that is not 0, written as text; anything else is false."""
    if s is None or isinstance(s, bool):
        return bool(s)
    try:
        return s.lower() == "true" or int(s) != 0
    except Exception:
        return False


def execCmd(
    command,
    sudo=False,
    cwd=None,
    data=None,
    raw=False,
    printable=None,
    env=None,
    nice=None,
    ioclass=None,
    ioclassdata=None,
    setsid=False,
    execCmdLogger=None,
    resetCpuAffinity=True,
    sync=True,
    deathSignal=0,
    childUmask=None,
):
    """Runs a command without a shell and answers (rc, out, err): lists of lines, or whole when `raw`.

    `sync=False` answers the running process instead. A command that is missing has rc 127, as under `taskset`;
    `resetCpuAffinity=False` raises OSError instead.
    """
    from vdsm.hook import commands  # here, because most scripts run no command and should start fast

    command = commands.prefixed(list(command), sudo, nice, ioclass, ioclassdata, setsid)
    commands.tell(execCmdLogger, printable or command, cwd)
    try:
        process = commands.start(command, cwd, env, commands.child_setup(deathSignal, childUmask))
    except OSError as problem:
        if not sync or not resetCpuAffinity or (cwd and not os.path.isdir(cwd)):
            raise
        code, out, err = commands.not_run(problem, command)
    else:
        if not sync:
            return commands.Running(process, data)
        out, err = process.communicate(data)
        code = process.returncode
    return (code, out, err) if raw else (code, out.splitlines(), err.splitlines())
