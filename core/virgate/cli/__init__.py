"""`virgate`: people's way to a daemon. Talks XML-RPC, prints tables for people and JSON for programs.

One module per noun holds a click group; `client.py` speaks to the daemon, `show.py` prints. Commands are imported when
they are used, so that completion and `--help` stay quick.
"""

from virgate.cli.root import main

__all__ = ["main"]
