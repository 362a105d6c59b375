"""Images that the source made for drives of a machine, and that the destination cannot make: what was in them is not
kept anywhere else, because it is passwords more often than not. They travel with the machine, over TLS, to no log.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from virgate.domxml import tree
from virgate.node.vm import payload
from virgate.node.vm.migration.errors import MigrationFailed

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.machine import Machine

KEY = "_payloads"
LIMIT = 8 << 20
"""Bytes of an image that can travel."""


def gather(machine: "Machine", text: str) -> dict[str, Any]:
    """What goes into the parameters of `migrationCreate`; nothing for a machine without such drives."""
    request = machine.request
    if request is None or request.xml_form or not request.payloads:
        return {}  # the metadata of a client's document have the files
    folder = payload.folder(machine.means.run_dir)
    wanted = {one.target for one in request.payloads}
    images = {}
    for disk in tree.parse(text).iterfind("devices/disk"):
        target, path = tree.attribute(disk, "target", "dev"), Path(tree.attribute(disk, "source", "file"))
        if target in wanted and path.parent == folder:
            images[target] = _read(target, path)
    return {KEY: images} if images else {}


def _read(target: str, path: Path) -> str:
    try:
        with path.open("rb") as image:
            data = image.read(LIMIT + 1)
    except OSError as problem:
        raise MigrationFailed(f"the payload of drive {target} cannot be read: {problem.strerror}") from None
    if len(data) > LIMIT:
        raise MigrationFailed(f"the payload of drive {target} is too large to travel")
    return base64.b64encode(data).decode()


def unpack(request: "MachineRequest", images: Mapping[str, Any]) -> "MachineRequest":
    """The request with the images that came along in the stead of files."""
    return attrs.evolve(
        request, payloads=tuple(attrs.evolve(one, image=_image(images.get(one.target))) for one in request.payloads)
    )


def _image(given: Any) -> bytes:
    try:
        return base64.b64decode(given, validate=True) if isinstance(given, str) else b""
    except binascii.Error:
        return b""
