"""Machines: from a client's parameters to a running guest and back to nothing, many small owners around one record.

Read `life.py` first (the states and what moves between them), then `machine.py` (one machine), `launch.py` (how it
starts), `ending.py` (how it ends) and `registry.py` (all of them). `preparation.py` is what a start, a wake-up and an
arrival do alike. `happenings.py` turns hypervisor events into inputs of the life, `stats.py` and `sampler.py` turn one
bulk call into what clients poll, `recovery.py` finds machines again, `inscription.py` writes what only we know into
the domain.

What is done to a running machine has a room of its own each: `plugging` (devices come and go), `tuning` (limits),
`blocks` (snapshots, merges, replicas), `thin` (disks that grow), `migration` (to another host), `hibernation` (to
storage). Rooms meet in what a machine offers all of them: `machine.changing` is held by whoever changes devices or
volumes, `machine.devices_changed()` tells everybody afterwards, `machine.stays()` refuses what a leaving machine cannot
bear, `machine.shown` takes members of the statistics. An idle daemon imports none of them but what listens to events.

What must not live here: XML building (`virgate.domxml`), image paths (`virgate.node.storage`), what guests say
(`virgate.node.guest`), transports.
"""
