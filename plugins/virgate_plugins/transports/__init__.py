"""Ways in: the management port with its wire protocols.

`xmlrpc.py` is the plugin and reads like a table of contents; `port.py` listens, `opening.py` tells protocols apart,
`tls.py` guards, `http/` knows requests and bodies but no XML, `rpc/` knows XML-RPC but no connection,
`images.py` moves the bytes of volumes.
"""
