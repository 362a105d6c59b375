"""From JSON-RPC to verbs and back, without a connection (spec xmlrpc-host-vm 1.8).

`messages.py` reads and writes JSON, `names.py` knows what clients call the parameters, `calling.py` calls verbs,
`unwrapping.py` makes results of replies, `server.py` answers a whole message.
"""
