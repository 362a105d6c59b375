"""One daemon per state folder, and a service manager that hears when it is ready."""

import os
import socket

import pytest

from virgate.daemon.lock import AlreadyRunning, InstanceLock
from virgate.daemon.notify import notify


def test_a_second_daemon_on_the_same_folder_is_refused_by_name(tmp_path):
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    first.take()
    with pytest.raises(AlreadyRunning, match=rf"another virgated \(pid {os.getpid()}\) uses {tmp_path}"):
        second.take()
    first.release()
    second.take()
    second.release()


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_gets_one_datagram(tmp_path, monkeypatch, abstract):
    address = f"@virgate-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify(READY=1, STATUS="serving")
        assert manager.recv(100) == b"READY=1\nSTATUS=serving"


def test_without_a_service_manager_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY=1)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify(READY=1)
