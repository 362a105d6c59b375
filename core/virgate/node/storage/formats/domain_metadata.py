"""Domain metadata: the sealed key/value text of a storage domain (spec storage-format 3.1, 2.3).

One dictionary of strings in three clothes: a text file (file domains), tags of a volume group (block domains since
version 2), text in a logical volume (block domains of version 0). Domain and pool keys share it; unknown keys are
kept and are part of the seal. `domain_keys` gives the keys their meaning.
"""

import re
from collections.abc import Iterable, Mapping

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import MetadataOverflow, SealBroken, UnreadableMetadata

SEAL = "_SHA_CKSUM"
TAG_PREFIX = "MDT_"
V0_BLOCK_SIZE = 2048

_UNTAGGABLE = re.compile(r"[^a-zA-Z0-9_+.\-/=!:#]")
_TAG_ESCAPE = re.compile(r"&(\d+)&")


def checksum(values: Mapping[str, str]) -> str:
    """The seal: SHA-1 over `KEY=VALUE` of every key but the seal, sorted, nothing between them."""
    import hashlib

    digest = hashlib.sha1(usedforsecurity=False)
    for key in sorted(values):
        if key != SEAL:
            digest.update(f"{key}={values[key]}".encode("ascii", "xmlcharrefreplace"))
    return digest.hexdigest()


def encode(values: Mapping[str, object]) -> bytes:
    """The whole file, sealed. InvalidParameter for a key or value that one line cannot hold."""
    return "".join(line + "\n" for line in lines(values)).encode()


def decode(data: bytes) -> dict[str, str]:
    """The keys of a file, without the seal. Raises SealBroken; see `unseal` for text without a seal."""
    return unseal(parse(_text_lines(data.rstrip(b"\0"))))


def is_sealed(data: bytes) -> bool:
    """Whether the file carries a seal; one without is accepted, and worth a warning."""
    return SEAL in parse(_text_lines(data.rstrip(b"\0")))


def lines(values: Mapping[str, object]) -> list[str]:
    """Sorted `KEY=VALUE` lines with the seal as the last one."""
    texts = {key: _one_line(key, str(value)) for key, value in values.items() if key != SEAL}
    return [f"{key}={texts[key]}" for key in sorted(texts)] + [f"{SEAL}={checksum(texts)}"]


def parse(text_lines: Iterable[str]) -> dict[str, str]:
    """Lines to keys, seal included; lines without `=` are not ours."""
    found = {}
    for line in text_lines:
        key, equals, value = line.partition("=")
        if equals:
            found[key] = value
    return found


def unseal(values: Mapping[str, str]) -> dict[str, str]:
    """Checks and removes the seal. Without a seal everything is accepted, as the reference does."""
    stored, computed = values.get(SEAL), checksum(values)
    if stored is not None and stored != computed:
        raise SealBroken(computed, stored)
    return {key: value for key, value in values.items() if key != SEAL}


def encode_tag(line: str) -> str:
    """One line as an LVM tag. Every character LVM refuses becomes `&code point&`."""
    return TAG_PREFIX + _UNTAGGABLE.sub(lambda found: f"&{ord(found[0])}&", line)


def decode_tag(tag: str) -> str:
    """The line inside a tag that starts with TAG_PREFIX."""
    try:
        return _TAG_ESCAPE.sub(lambda found: chr(int(found[1])), tag.removeprefix(TAG_PREFIX))
    except (OverflowError, ValueError) as problem:
        raise UnreadableMetadata(f"tag {tag!r}") from problem


def encode_tags(values: Mapping[str, object]) -> frozenset[str]:
    """All tags of a volume group's metadata, seal included."""
    return frozenset(map(encode_tag, lines(values)))


def decode_tags(tags: Iterable[str]) -> dict[str, str]:
    """The keys among all tags of a volume group; tags of other meaning are passed over."""
    return unseal(parse(decode_tag(tag) for tag in tags if tag.startswith(TAG_PREFIX)))


def tag_changes(tags: Iterable[str], values: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """(tags to remove, tags to add), each sorted, that turn the metadata among `tags` into `values`."""
    old = {tag for tag in tags if tag.startswith(TAG_PREFIX)}
    new = encode_tags(values)
    return sorted(old - new), sorted(new - old)


def encode_v0_block(values: Mapping[str, object]) -> bytes:
    """The first bytes of LV `metadata` on a version 0 block domain."""
    text = encode(values)
    if len(text) > V0_BLOCK_SIZE:
        raise MetadataOverflow(len(text), V0_BLOCK_SIZE)
    return text.ljust(V0_BLOCK_SIZE, b"\0")


def decode_v0_block(data: bytes) -> dict[str, str]:
    """Empty when the area holds no text: the domain then keeps its metadata in tags."""
    kept = [line for line in data[:V0_BLOCK_SIZE].split(b"\n") if not line.startswith(b"\0")]
    try:
        return unseal(parse(line.decode() for line in kept if b"=" in line))
    except UnicodeDecodeError as problem:
        raise UnreadableMetadata("not UTF-8") from problem


def _one_line(key: str, value: str) -> str:
    if not key or "=" in key or set("\r\n\0").intersection(key + value):
        raise InvalidParameter(key, value)
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise InvalidParameter(key, ascii(value)) from problem
    return value


def _text_lines(data: bytes) -> list[str]:
    try:
        # Bytes are split, not text: str.splitlines would also cut at U+2028 and friends inside a description.
        return [line.decode() for line in data.splitlines()]
    except UnicodeDecodeError as problem:
        raise UnreadableMetadata("not UTF-8") from problem
