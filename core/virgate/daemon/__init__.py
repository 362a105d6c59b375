"""`virgated`: settings -> plugins -> services -> reactor.

`main.py` reads the command line and chooses the exit code, `service.py` starts and stops the whole, the others do one
thing each: `logs.py` lines, `lock.py` one daemon per state folder, `notify.py` the service manager. `lean.py` comes
first: it imports the reactor.
"""

from virgate.daemon import lean  # noqa: F401
from virgate.daemon.main import main

__all__ = ["main"]
