"""Moving running guests between hosts (spec migration 1 to 10, 13): both sides of it.

Read `departure.py` first (a machine leaves), then `arrival.py` (one comes in). Pure, without I/O: `downtime`,
`convergence`, `timing` (when to do what), `order` (what a client asks for), `options` (what libvirt is asked for),
`addresses`, `progress`, `limits`, `documents`, `description` (what hosts tell each other). Thin shells: `peer` (calls
of the other host), `monitoring` (watches libvirt's job), `traffic` (what all moves of this host share).
What must not live here: saving to storage (`node/vm/hibernation`), calls of libvirt (`virgate.libvirt.moving`).
"""
