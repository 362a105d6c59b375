"""The key of the host is the host's alone."""

import pytest
import pytest_twisted
from twisted.logger import capturedLogs

from virgate import pki


@pytest.mark.parametrize(("mode", "said"), [(0o600, False), (0o640, False), (0o644, True)])
@pytest_twisted.ensureDeferred
async def test_a_key_that_every_user_can_read_is_told_of(serve, tmp_path, mode, said):
    pki.initialise(tmp_path / "pki")
    (tmp_path / "pki/host.key").chmod(mode)
    with capturedLogs() as heard:
        await serve("xmlrpc.tls=true", f"daemon.state_dir={tmp_path}")
    assert any("pass for it" in event["log_format"] for event in heard) is said
