"""The doors that block: everything outside this process that is not the hypervisor.

`process` runs programs, `thread` holds the bounded pools for blocking libraries, `helper` keeps worker processes for
file and device I/O that may hang, `folders` watches directories. Nothing here knows what the programs, functions or
folders mean. Nothing else in Virgate makes a process or a thread. Read `process` first.

This file stays empty of imports: the worker processes import it, and they carry no reactor.
"""
