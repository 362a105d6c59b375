"""Machines: from a client's parameters to a running guest and back to nothing, many small owners around one record.

Read `life.py` first (the states and what moves between them), then `machine.py` (one machine), `launch.py` (how it
starts), `ending.py` (how it ends) and `registry.py` (all of them). `happenings.py` turns hypervisor events into inputs
of the life, `stats.py` and `sampler.py` turn one bulk call into what clients poll, `recovery.py` finds machines again.
What must not live here: XML building (`virgate.domxml`), image paths (`virgate.node.storage`), transports.
"""
