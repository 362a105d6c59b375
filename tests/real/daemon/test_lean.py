"""An idle daemon holds no TLS library, and whoever needs one can still have it."""

import subprocess
import sys

PROGRAM = """
import sys
import virgate.daemon
assert "OpenSSL" not in sys.modules and "ssl" not in sys.modules, "a TLS library was imported"
import virgate.daemon.service
assert "lzma" not in sys.modules and "bz2" not in sys.modules, "what unpacks archives was imported"
assert "http.client" not in sys.modules, "an HTTP client was imported"
assert "html" not in sys.modules, "a table of all characters was imported"
import twisted.python.compat
assert twisted.python.compat.escape("<") == "&lt;"
from http import cookiejar
assert cookiejar.CookieJar
assert "asyncio" not in sys.modules
import asyncio
from twisted.internet.defer import Deferred, succeed
async def answer(value):
    return await succeed(value)
assert Deferred.fromCoroutine(answer(7)).result == 7
async def both():
    loop = asyncio.get_running_loop()
    return await Deferred.fromCoroutine(answer(8)).asFuture(loop)
assert asyncio.run(both()) == 8
import bz2, lzma
import ssl, http.client, urllib.request
assert http.client.HTTPSConnection and urllib.request.HTTPSHandler
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
"""


def test_the_daemon_imports_no_tls_library_and_hides_none_for_good():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
