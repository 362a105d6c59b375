"""Storage: domains, pools, the SPM, images and volumes.

`manager.Storage` is the front and names its parts. Read `domain.py` first (what a domain is), then `domains.py` (how
it is found), `pools.py` and `spm.py` (who may change it), `volume_making.py` (how a change survives a crash).
`operations/` is what helper processes do, `formats/` the bytes. How a place is reached (a folder, NFS, iSCSI) and what
guards it against other hosts are plugins: `virgate.hookspecs.storage` and `virgate.hookspecs.leases`.
"""
