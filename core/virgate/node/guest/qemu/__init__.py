"""The QEMU guest agent, asked through the hypervisor: what is known of one (`state.py`), when to ask what
(`schedule.py`), what answers mean (`replies.py`), and the asking (`poller.py`)."""
