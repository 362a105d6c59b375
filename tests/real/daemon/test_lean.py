"""An idle daemon holds no TLS library, and whoever needs one can still have it."""

import subprocess
import sys

PROGRAM = """
import sys
import virgate.daemon
assert "OpenSSL" not in sys.modules and "ssl" not in sys.modules, "a TLS library was imported"
import ssl, http.client, urllib.request
assert http.client.HTTPSConnection and urllib.request.HTTPSHandler
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
"""


def test_the_daemon_imports_no_tls_library_and_hides_none_for_good():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
