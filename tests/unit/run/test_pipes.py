"""The ends of pipes on the reactor."""

import os
from array import array
from fcntl import ioctl
from termios import FIONREAD

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.run.pipes import PIPE, Reader, Writer


class End:
    """Hears one end of a pipe."""

    def __init__(self):
        self.data, self.ends, self.over = b"", 0, Deferred()

    def receive(self, data):
        self.data += data

    def end(self):
        self.ends += 1
        if not self.over.called:
            self.over.callback(None)


@pytest.fixture
def pipe():
    ends = list(os.pipe())
    yield ends


@pytest.fixture
def end():
    return End()


@pytest_twisted.ensureDeferred
async def test_bytes_pass_from_writer_to_reader_however_many(pipe, end):
    data = os.urandom(5 << 20)
    Reader(pipe[0], end.receive, end.end)
    writer = Writer(pipe[1])
    writer.write(data[:100])
    writer.write(data[100:])
    writer.finish()
    await end.over.addTimeout(20, reactor)
    assert end.data == data
    assert writer.closed


@pytest_twisted.ensureDeferred
async def test_a_reader_ends_once_when_the_other_side_closes(pipe, end):
    reader = Reader(pipe[0], end.receive, end.end)
    os.write(pipe[1], b"last words")
    os.close(pipe[1])
    await end.over.addTimeout(5, reactor)
    reader.close()
    assert (end.data, end.ends, reader.fileno()) == (b"last words", 1, -1)


@pytest_twisted.ensureDeferred
async def test_a_reader_that_pauses_reads_nothing_until_it_resumes(pipe, end):
    reader = Reader(pipe[0], end.receive, end.end)
    reader.pause()
    os.write(pipe[1], b"x")
    await deferLater(reactor, 0.02)
    assert end.data == b""
    reader.resume()
    os.close(pipe[1])
    await end.over.addTimeout(5, reactor)
    assert end.data == b"x"


def test_draining_takes_what_is_there_and_does_not_wait(pipe, end):
    reader = Reader(pipe[0], end.receive, end.end)
    os.write(pipe[1], b"there")
    reader.drain()
    assert (end.data, reader.closed) == (b"there", False)
    reader.close()
    os.close(pipe[1])


def test_draining_ends_though_somebody_writes_without_end(pipe, end):
    def write_more(data):
        end.receive(data)
        os.write(pipe[1], bytes(1 << 15))

    reader = Reader(pipe[0], write_more, end.end)
    os.write(pipe[1], b"first")
    reader.drain()
    assert len(end.data) <= PIPE
    reader.close()
    os.close(pipe[1])


@pytest_twisted.ensureDeferred
async def test_a_writer_whose_reader_is_gone_ends_and_drops_the_rest(pipe, end):
    writer = Writer(pipe[1], end.end)
    writer.write(bytes(1 << 20))
    os.close(pipe[0])
    await end.over.addTimeout(5, reactor)
    writer.write(b"more")
    assert (writer.closed, end.ends) == (True, 1)


@pytest_twisted.ensureDeferred
async def test_a_writer_does_not_block_on_a_full_pipe(pipe, end):
    writer = Writer(pipe[1])
    writer.write(bytes(1 << 20))
    waiting = array("i", [0])
    ioctl(pipe[0], FIONREAD, waiting)
    assert 0 < waiting[0] < 1 << 20
    Reader(pipe[0], end.receive, end.end)
    writer.finish()
    writer.write(b"too late")
    await end.over.addTimeout(5, reactor)
    assert len(end.data) == 1 << 20


def test_closing_twice_closes_once(pipe, end):
    writer = Writer(pipe[1], end.end)
    writer.close()
    stranger = os.open("/dev/null", os.O_RDONLY)
    writer.close()
    os.fstat(stranger)
    assert end.ends == 1
    os.close(stranger)
    os.close(pipe[0])
