"""What guests say of themselves and what they are asked: the agents inside machines.

Read `agent.py` first (one guest: what it said, what can be asked), then `watch.py` (it and its machine), `agents.py`
(all of them, one clock for all), `channel.py` (the socket) and `qemu/` (the QEMU guest agent, asked through the
hypervisor). The rest is pure: `framing.py` bytes to lines, `messages.py` lines to messages, `negotiation.py` versions,
`report.py` messages to figures, `members.py` figures to statistics, `mapping.py` disks, `luggage.py` what goes along to
another host, `budget.py` and `attempts.py` how often.

Whatever a guest sends is untrusted: it is bounded in size and in rate, filtered, and believed only in its type.
What must not live here: the status of a machine (`node/vm`), the hypervisor's calls (`virgate.libvirt.agent`).
"""
