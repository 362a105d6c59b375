"""The reactor, as the rooms use it. zope interfaces tell a type checker little about it, so it is Any here."""

from typing import Any

from twisted.internet import reactor as _reactor

reactor: Any = _reactor
