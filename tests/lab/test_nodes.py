"""Whole daemons inside user-mode Linux hosts."""

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.network import Network
from lab.nodes import Nodes


def test_daemons_in_two_hosts_answer_and_come_back_after_a_kill(lab: Lab, network: Network) -> None:
    east, west = Nodes(lab, network).boot("east", "west")
    assert east.call("getVdsCapabilities")["info"] and west.call("ping") == {}
    before = east.pid
    east.kill()
    with pytest.raises(OSError):
        east.call("ping")
    assert west.call("getAllTasks") == {"tasks": {}}
    east.start()
    assert east.pid != before
    with pytest.raises(Refused, match="getTaskStatus: 401"):
        east.call("getTaskStatus", "no-such-task")
    assert east.stop().code == 0
