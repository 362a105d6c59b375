"""The hypervisor, and the only room that imports libvirt.

`connection` holds the one connection (its events on the reactor, its blocking calls in a bounded pool), `domains` has
the operations every machine needs and `on()`, through which the rooms of one concern go: `plugging`, `tuning`,
`blocks`, `moving`, `saving`, `agent`, `keyboard`, `console`. `offering`, `node_devices` and `secrets` are about the
host, `external` and `fetching` about other hypervisors. Numbers become words in `words`, events are told by
`domain_events`, libvirt's errors become ours in `errors`. What a machine means is node.vm's business. Read `connection`
first.
"""
