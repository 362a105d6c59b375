"""What is said of images whose volumes do not fit together."""

import pytest
from attrs import evolve

from virgate.node.storage.checking.chains import examine
from virgate.node.storage.checking.findings import Severity
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.qcow2 import BrokenHeader, Header
from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Image, Volume
from virgate.units import Size

DOMAIN, IMAGE, BASE, TOP = "domain", "image", "base", "top"
CAPACITY = 1 << 20


def metadata(**changes):
    base = VolumeMetadata(
        domain=DOMAIN,
        image=IMAGE,
        capacity=Size(CAPACITY),
        format=VolumeFormat.RAW,
        allocation=Allocation.SPARSE,
        parent=BLANK_UUID,
        role=VolumeRole.INTERNAL,
        legality=Legality.LEGAL,
        disk_type="DATA",
        description="",
        created=0,
    )
    return evolve(base, **changes)


TOP_METADATA = metadata(format=VolumeFormat.COW, parent=BASE, role=VolumeRole.LEAF)


def an_image(base=None, top=None, base_size=CAPACITY):
    found = {BASE: metadata() if base is None else base, TOP: TOP_METADATA if top is None else top}
    volumes = {
        id: Volume(id, one, base_size if id == BASE else CAPACITY, CAPACITY)
        for id, one in found.items()
        if one != "gone"
    }
    return Image(DOMAIN, IMAGE, volumes)


GOOD = {TOP: Header(BASE, "raw", virtual_size=CAPACITY)}


def said(image, headers=GOOD, severity=Severity.ERROR):
    return [f"{one.place}: {one.what}" for one in examine(image, headers) if one.severity is severity]


def test_a_sound_chain_has_no_findings():
    assert not list(examine(an_image(), GOOD))


@pytest.mark.parametrize(
    ("image", "place", "what"),
    [
        (an_image(base=UnreadableMetadata("cut")), "image/base", "its metadata cannot be read"),
        (an_image(base=metadata(domain="other")), "image/base", "name the domain other"),
        (an_image(base_size=-1), "image/base", "metadata and no data"),
        (an_image(base_size=512), "image/base", "its data end at 512 bytes"),
        (an_image(base=metadata(role=VolumeRole.LEAF)), "image/base", "it is a LEAF and top is based on it"),
        (an_image(base="gone"), "image/top", "its parent base is missing"),
    ],
)
def test_what_makes_data_unusable_is_an_error_at_its_place(image, place, what):
    assert any(text.startswith(f"{place}: ") and what in text for text in said(image)), said(image)


def test_several_children_of_a_volume_that_is_not_shared_are_an_error():
    twin = Volume("twin", TOP_METADATA, CAPACITY, 0)
    image = Image(DOMAIN, IMAGE, {**an_image().volumes, "twin": twin})
    assert any("several volumes are based on it: top, twin" in text for text in said(image))
    assert any(text.startswith("image: ") and "several leaves" in text for text in said(image))


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (None, "its data are no qcow2"),
        (BrokenHeader("it ends too early"), "it ends too early"),
        (Header("other", "raw", virtual_size=CAPACITY), "based on other, its metadata say base"),
        (Header("", "", virtual_size=CAPACITY), "based on nothing, its metadata say base"),
        (Header(BASE, "raw", data_file=True, virtual_size=CAPACITY), "keeps its data in another file"),
    ],
)
def test_headers_that_tell_something_else_are_errors(header, what):
    (only,) = said(an_image(), {TOP: header})
    assert what in only


def test_an_old_path_to_the_parent_is_as_good_as_its_name():
    assert not said(an_image(), {TOP: Header(f"../{IMAGE}/{BASE}", "raw", virtual_size=CAPACITY)})


def test_a_disk_of_another_size_than_metadata_say_is_a_warning():
    header = {TOP: Header(BASE, "raw", virtual_size=2 * CAPACITY)}
    (only,) = said(an_image(), header, Severity.WARNING)
    assert "has 2097152 bytes, its metadata say 1048576" in only
    resizing = an_image(top=evolve(TOP_METADATA, capacity=Size(0)))
    assert not said(resizing, header, Severity.WARNING)


def test_illegal_volumes_and_internal_ends_are_warnings():
    image = an_image(top=evolve(TOP_METADATA, legality=Legality.ILLEGAL))
    assert any("ILLEGAL" in text for text in said(image, severity=Severity.WARNING))
    image = an_image(top="gone")
    assert any("INTERNAL and nothing is based on it" in text for text in said(image, severity=Severity.WARNING))


def test_a_template_is_judged_where_it_belongs():
    template = metadata(image="template", role=VolumeRole.SHARED, legality=Legality.ILLEGAL)
    assert not list(examine(an_image(base=template), GOOD))
    left = Image(DOMAIN, IMAGE, {BASE: Volume(BASE, template, CAPACITY, 0)})
    assert said(left, {}, Severity.NOTE) == ["image: only a template of another image is left in it"]


def test_every_problem_says_what_can_be_done():
    image = an_image(base=UnreadableMetadata("cut"), top=evolve(TOP_METADATA, legality=Legality.ILLEGAL))
    assert all(finding.mend for finding in examine(image, {TOP: None}))
