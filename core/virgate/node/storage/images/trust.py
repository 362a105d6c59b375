"""Whether the data of an image lead only to each other.

Metadata say what a chain is, but QEMU follows the headers of the data. Whoever may write to storage, a guest with a raw
disk among them, could let a header name a file of this host. So no chain is opened before its headers were read.
"""

from collections.abc import Sequence

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import IllegalChain
from virgate.node.storage.formats import qcow2
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.qemu_img import NAMES


async def legal_chain(domain: Domain, survey: Image, volume: str, *, whole: bool = True) -> tuple[Volume, ...]:
    """The chain up to the volume; `IllegalChain` (262) if data in it are not to be trusted.

    Where the chain need not be `whole`, something may stand in for a template: its data are not looked at.
    """
    chain = survey.chain(volume)
    for member in chain:
        if not whole and member.metadata.legality is Legality.FAKE and member.metadata.image != survey.id:
            continue
        if member.metadata.legality is not Legality.LEGAL:
            raise IllegalChain(survey.id, f"{member.id} is {member.metadata.legality.value}")
    await check_headers(domain, survey, chain)
    return chain


async def check_headers(domain: Domain, survey: Image, chain: Sequence[Volume]) -> dict[str, int]:
    """`IllegalChain` (262) if the data of a volume lead to anything but volumes of the same image.

    Answers the virtual size of each qcow2 volume, as its header has it.
    """
    for volume in chain:
        if volume.size < 0:
            raise IllegalChain(survey.id, f"the data of {volume.id} are gone, or no file of their own")
    layered = [volume for volume in chain if volume.metadata.format is VolumeFormat.COW]
    starts = await domain.images.starts(survey.id, [volume.id for volume in layered], qcow2.START)
    sizes = {}
    for volume, start in zip(layered, starts, strict=True):
        header = qcow2.decode(start)
        if reason := _distrusted(survey, header):
            raise IllegalChain(survey.id, f"{volume.id} {reason}")
        sizes[volume.id] = header.virtual_size if header else 0
    return sizes


def _distrusted(survey: Image, header: qcow2.Header | None) -> str:
    """Why a volume must not be opened; empty for one that is fine, or that QEMU itself will refuse as no qcow2."""
    if header is None:
        return ""
    if header.data_file:
        return "keeps its data in another file"
    if not header.backing:
        return ""
    folder, _, name = header.backing.rpartition("/")
    if folder and folder != f"../{survey.id}" and not _template_folder(folder, survey, name):
        return f"is based on {header.backing!r}, which is no volume of its image"
    if name not in survey.volumes:
        return f"is based on {header.backing!r}, which is no volume of its image"
    base = survey.volume(name).metadata
    if base.legality is Legality.FAKE and header.backing_format == "raw":
        return ""  # what it was based on is not here, and raw data lead nowhere
    wanted = NAMES[base.format]
    if header.backing_format != wanted and (header.backing_format or wanted == "raw"):
        return f"takes its base {name} for {header.backing_format or 'whatever it looks like'}, which is {wanted}"
    return ""


def _template_folder(folder: str, survey: Image, name: str) -> bool:
    """Old hosts wrote a template as `../<its own image>/<volume>`; it is linked into this image's folder as well."""
    known = survey.volumes.get(name)
    return known is not None and known.readable and folder == f"../{known.metadata.image}"
