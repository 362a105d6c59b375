"""What sanlock's numbers mean to an administrator."""

import errno

from virgate.run.errors import HelperLost
from virgate_plugins.leases.sanlock.calls import NOT_INSTALLED

_KNOWN = {
    NOT_INSTALLED: (
        "Python cannot use sanlock: install the packages python3-sanlock and sanlock"
        " (virgated must run with the distribution's Python)"
    ),
    errno.ECONNREFUSED: "sanlock does not run on this host: start it (systemctl enable --now sanlock)",
    errno.ENOSPC: "this host has no host id there any more: it was lost, or sanlock was restarted",
    errno.EBUSY: "leases of this host are in use there",
    errno.EAGAIN: "another host tries to take it at this moment",
    -202: "storage did not answer within the io timeout",
    -243: "another host holds it and lives",
    -244: "its owner may still live: it is given up only when that host has been silent long enough",
    -245: "its owner may still live: it is given up only when that host has been silent long enough",
    -262: "another host uses this host id, or did so shortly before its end",
    -263: "the host id in use there was joined under another name",
}


def reason(problem: Exception) -> str:
    """One sentence for whatever a call failed with."""
    if isinstance(problem, HelperLost):
        return str(problem)
    if not isinstance(problem, OSError) or problem.errno is None:
        return str(problem) or type(problem).__name__
    known = _KNOWN.get(problem.errno)
    return f"{known} ({problem.errno}: {problem.strerror})" if known else f"{problem.strerror} ({problem.errno})"
