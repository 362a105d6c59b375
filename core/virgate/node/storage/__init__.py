"""Storage: domains, pools, the SPM, images and volumes.

`manager.Storage` is the front and names its parts. Read `domains/domain.py` first (what a domain is), then
`domains/domains.py` (how it is found), `pools/pools.py` and `pools/spm.py` (who may change it) and
`images/volume_making.py` (how a change survives a crash). `file/` and `block/` are the two kinds of domains,
`operations/` is what helper processes do, `formats/` the bytes. How a place is reached (a folder, NFS, iSCSI) and what
guards it against other hosts are plugins: `virgate.hookspecs.storage` and `virgate.hookspecs.leases`.
"""
