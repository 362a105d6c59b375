"""Sealed domain metadata in its three clothes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.formats import domain_metadata as md
from virgate.node.storage.formats.errors import MetadataOverflow, SealBroken, UnreadableMetadata

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
keys = text.filter(lambda key: key and "=" not in key and key != md.SEAL)
dictionaries = st.dictionaries(keys, text, max_size=8)


@given(dictionaries)
def test_a_file_gives_back_every_key_known_or_not(values):
    assert md.decode(md.encode(values)) == values


@given(dictionaries)
def test_tags_give_back_every_key_known_or_not(values):
    assert md.decode_tags(md.encode_tags(values)) == values


@given(text)
def test_a_tag_holds_only_what_lvm_takes(line):
    tag = md.encode_tag(line)
    assert all(char.isascii() and (char.isalnum() or char in "_+.-/=!:#&") for char in tag)
    assert md.decode_tag(tag) == line


@given(dictionaries)
def test_the_block_of_version_0_gives_back_every_key(values):
    try:
        data = md.encode_v0_block(values)
    except MetadataOverflow as problem:
        assert problem.size > problem.limit == 2048
    else:
        assert len(data) == 2048
        assert md.decode_v0_block(data + b"a slot of a volume = below\n") == values


@given(st.dictionaries(keys, text, min_size=1, max_size=4), st.data())
def test_a_changed_value_breaks_the_seal(values, data):
    key = data.draw(st.sampled_from(sorted(values)))
    lines = md.lines(values)
    lines[lines.index(f"{key}={values[key]}")] += "x"
    with pytest.raises(SealBroken) as refused:
        md.unseal(md.parse(lines))
    assert refused.value.code == 752


@given(st.binary(max_size=300))
def test_noise_is_read_or_refused_with_a_code(data):
    for decode in (md.decode, md.decode_v0_block):
        try:
            decode(data)
        except (SealBroken, UnreadableMetadata) as problem:
            assert problem.code in (749, 752)


@given(st.lists(st.text(max_size=20)))
def test_foreign_tags_are_read_or_refused_with_a_code(tags):
    try:
        md.decode_tags([f"MDT_{tag}" for tag in tags])
    except (SealBroken, UnreadableMetadata) as problem:
        assert problem.code in (749, 752)


def test_text_without_a_seal_is_accepted_and_can_be_told():
    assert md.decode(b"A=1\nB=2=3\nnothing\n\0\0\0") == {"A": "1", "B": "2=3"}
    assert not md.is_sealed(b"A=1\n")
    assert md.is_sealed(md.encode({"A": 1}))


def test_empty_is_empty():
    assert md.decode(b"") == {}
    assert md.decode_v0_block(bytes(2048)) == {}


def test_a_truncated_seal_is_broken():
    data = md.encode({"A": 1, "B": 2})
    with pytest.raises(SealBroken):
        md.decode(data[:-5])


def test_line_separators_of_unicode_stay_inside_a_value():
    values = {"DESCRIPTION": "one\u2028two\x85three\x0bfour"}
    assert md.decode(md.encode(values)) == values


@pytest.mark.parametrize(
    ("key", "value"), [("A", "x\ny"), ("A", "x\ry"), ("A", "x\0"), ("A=B", "x"), ("", "x"), ("A", "\ud800")]
)
def test_what_one_line_cannot_hold_is_refused(key, value):
    with pytest.raises(InvalidParameter):
        md.encode({key: value})


def test_the_seal_among_the_values_is_computed_anew():
    assert md.encode({"A": 1, md.SEAL: "stale"}) == md.encode({"A": 1})


@given(dictionaries, dictionaries)
def test_applying_tag_changes_gives_the_new_metadata(old, new):
    tags = {*md.encode_tags(old), "RHAT_storage_domain"}
    gone, come = md.tag_changes(tags, new)
    assert (tags - set(gone)) | set(come) == {*md.encode_tags(new), "RHAT_storage_domain"}
    assert not set(gone) & set(come)


def test_a_change_of_one_key_changes_its_tag_and_the_seal_only():
    gone, come = md.tag_changes(md.encode_tags({"A": 1, "B": 2}), {"A": 1, "B": 3})
    assert (
        [tag.partition("=")[0] for tag in gone]
        == [tag.partition("=")[0] for tag in come]
        == ["MDT_B", "MDT__SHA_CKSUM"]
    )
