"""The hypervisor, and the only room that imports libvirt.

`connection` holds the one connection (its events on the reactor, its blocking calls in a bounded pool), `domains` has
the operations on machines, `host` the facts of this host, `console` a machine's text console. Numbers become words in
`words`, libvirt's errors become ours in `errors`. What a machine means is node.vm's business. Read `connection` first.
"""
