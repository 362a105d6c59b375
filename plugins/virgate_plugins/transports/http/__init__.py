"""A small HTTP/1.x server: requests and replies as values, a connection that keeps both ends to their limits.

It serves one kind of client, programs that post documents on long connections, and does that several times faster than
a general web server. It has no routes, no files and no sessions; `message.py` is what the layer above sees.
"""
