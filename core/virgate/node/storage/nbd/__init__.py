"""Volumes served to other programs of this host by qemu-nbd, over sockets in the run folder (spec xmlrpc-storage 11).

`wish.py` is what a client wants and the command line that gives it; `server.py` one qemu-nbd; `servers.py` all of
them, and what keeps a volume safe while it is served.

A server ends with the daemon that started it, however that ends: so there is none that nobody can stop, and none that
writes when the daemon's leases are gone. Whoever used it starts it again.
"""
