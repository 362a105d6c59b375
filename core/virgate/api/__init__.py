"""Every operation once: typed, documented, free of transport.

`verb.py` declares, `verbs/` holds one module per noun, `dispatch.py` calls and logs, transports render.
"""
