"""The volumes below the disks of running machines: snapshots, live merge, replication, larger disks, freezing.

Read `chain.py` first (what a disk consists of, as the hypervisor has it), then `snapshot.py` and `merging.py`. Merges
go on for hours and outlive the daemon: `merge_steps.py` says what comes next, from what can be seen alone;
`running_merge.py` does it, `merges.py` holds all of them; `kept.py` is what a domain carries of it. What must not live
here: metadata on storage (`virgate.node.storage`).
"""
