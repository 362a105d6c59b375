"""Ids of machines, domains, images, volumes and tasks: UUIDs in lower case, as every client of the family has them."""

import re

UUID = r"[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}"
_UUID = re.compile(UUID, re.ASCII)


def is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None
