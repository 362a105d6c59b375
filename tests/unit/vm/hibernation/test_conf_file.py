"""The pickled parameters: what is written is read again, by us and by any pickle; and no pickle does anything here."""

import io
import os
import pickle
import struct
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virgate.node.vm.hibernation import conf_file
from virgate.node.vm.hibernation.errors import BadConf, UnwritableConf

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)
CONFS = st.dictionaries(st.text(st.characters(codec="utf-8")), PLAIN, max_size=6)


@given(CONFS)
def test_what_is_written_is_read_again(conf):
    assert conf_file.read(conf_file.write(conf)) == conf


@given(CONFS)
def test_any_host_of_the_family_reads_what_is_written(conf):
    assert pickle.loads(conf_file.write(conf)) == conf


@given(CONFS, st.integers(0, 5))
def test_whatever_protocol_another_host_chose_is_read(conf, protocol):
    assert conf_file.read(pickle.dumps(conf, protocol)) == conf


@given(CONFS, st.integers(0, 2))
def test_also_when_it_was_written_without_remembering(conf, protocol):
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol)
    pickler.fast = True
    pickler.dump(conf)
    assert conf_file.read(out.getvalue()) == conf


@given(CONFS, st.binary(max_size=40))
def test_what_lies_behind_it_in_the_volume_does_not_matter(conf, rest):
    assert conf_file.read(conf_file.write(conf) + rest) == conf
    assert conf_file.read(conf_file.padded(conf_file.write(conf))) == conf


@given(st.binary(max_size=300))
@example(b"}q\x00h\x00h\x00s.")
@example(b"(.")
@example(b"(0.")
@example(b"S'\\x'\n.")
@example(b"T\xff\xff\xff\xff.")
@example(b"I1_0\n.")
def test_any_other_bytes_are_refused_with_our_error(data):
    try:
        found = conf_file.read(data)
    except BadConf:
        return
    assert isinstance(found, dict)


@given(CONFS, st.integers(0, 2), st.data())
def test_a_pickle_that_was_damaged_is_read_or_refused(conf, protocol, data):
    whole = bytearray(pickle.dumps(conf, protocol))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(0, len(whole))) :]
    try:
        conf_file.read(bytes(whole))
    except BadConf:
        pass


class Evil:
    def __reduce__(self):
        return os.abort, ()


EVIL = {
    "a call": pickle.dumps({"a": Evil()}, 2),
    "a call of old": pickle.dumps({"a": Evil()}, 0),
    "a name": pickle.dumps({"a": os.abort}, 4),
    "a name on the stack": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93.",
    "an object": pickle.dumps({"a": UnwritableConf("x")}, 2),
    "an instance": b"(ios\nsystem\n.",
    "an extension": b"\x82\x01.",
    "a persistent id": b"Pos\n.",
    "a set": pickle.dumps({"a": {1, 2}}, 4),
    "a byte array": pickle.dumps({"a": bytearray(b"x")}, 5),
    "a state": b"}}b.",
    "no mapping": pickle.dumps(["a"], 2),
    "names that are numbers": pickle.dumps({1: 2}, 2),
    "a name that is a list": b"}](s.",
    "a list as a name": b"}]Ns.",
    "nothing": b"",
    "only an end": b".",
    "an unknown protocol": b"\x80\x63}.",
    "a name without a value": b"}(Nu.",
    "a circle": b"}q\x00U\x01ah\x00s.",
    "a list in itself": b"}U\x01a]q\x00h\x00as.",
    "too deep": b"}U\x01a" + b"(" * 5000 + b"l" * 5000 + b"s.",
    "what was not remembered": b"h\x07.",
    "a huge number": b"}U\x01aL" + b"9" * 100_000 + b"L\ns.",
}


@pytest.mark.parametrize("data", EVIL.values(), ids=EVIL)
def test_a_pickle_of_more_than_plain_values_is_refused_and_nothing_is_run(data):
    with pytest.raises(BadConf):
        conf_file.read(data)


def test_a_small_file_cannot_fill_the_memory():
    many = b"]q\x00N" + b"a" + b"".join(b"(" + b"h%c" % i * 200 + b"lq%c" % (i + 1) for i in range(9))
    tracemalloc.start()
    for bomb in (b"}U\x01a" + many + b"s.", b"}r\xff\xff\xff\xff.", b"}X\xff\xff\xff\x7fa", b"}\x8d" + b"\xff" * 8):
        try:
            conf_file.read(bomb)
        except BadConf:
            pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 << 20
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    with pytest.raises(BadConf):
        conf_file.read(b"}U\x01a(" + text + b"q\x00" + b"h\x00" * 50_000 + b"ls.")


@pytest.mark.parametrize("value", [object(), {1, 2}, Evil(), io.BytesIO()])
def test_what_is_not_plain_is_not_written(value):
    with pytest.raises(UnwritableConf):
        conf_file.write({"a": value})


def test_a_circle_is_not_written():
    circle = {}
    circle["a"] = circle
    with pytest.raises(UnwritableConf):
        conf_file.write(circle)


def test_bytes_are_written_as_the_text_they_are():
    assert conf_file.read(conf_file.write({"a": "größer".encode()})) == {"a": "größer"}


def test_padding_makes_whole_blocks():
    assert conf_file.padded(b"x") == b"x" + b"\0" * 4095
    assert conf_file.padded(b"x" * 4096) == b"x" * 4096
    assert conf_file.padded(b"abc", 2) == b"abc\0"
