"""Real hosts, real storage and real guests on one small machine.

    process.py   run a program, start a daemon, end exactly the processes that belong to us
    cleanup.py   one stack per lab: whatever was made is undone in reverse, also when a test fails
    libvirtd.py  a private libvirtd, also a program (`python -m lab.libvirtd ROOT`); supervisor.py is its first process
    owned.py     which processes are a private libvirtd's, and killing only these
    network.py   a network namespace with a bridge; everything else plugs in there
    hosts.py     several hosts made of namespaces: native speed, for guests and migration
    uml.py       several hosts made of user-mode Linux: a kernel of their own, for storage and leases
    servers.py   NFS (ganesha) and iSCSI (tgt) inside the lab's network
    guests.py    domain XML for the small guest of contrib/guest

Tests, the demo and benches put the folder `tests` on their path and `from lab.hosts import ...`.
Everything here blocks: call it from synchronous fixtures.
"""
