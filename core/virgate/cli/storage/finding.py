"""Finds domains, volumes and the pool by what a person types: a name, an id, or the beginning of an id."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from attrs import frozen
from click.shell_completion import CompletionItem

from virgate.cli.client import Client, for_completion
from virgate.cli.problems import Problem
from virgate.cli.show import UUID

BLANK = "00000000-0000-0000-0000-000000000000"
LEAST_DIGITS = 4


class Domain(click.ParamType):  # type: ignore[type-arg]
    """A domain argument; completes names."""

    name = "domain"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            names = sorted(one["name"] for one in domains(for_completion(ctx)))
        except click.ClickException:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@frozen
class Disk:
    """Where a volume lies."""

    pool: str
    domain: str
    image: str
    volume: str

    def __str__(self) -> str:
        return f"{self.pool}/{self.domain}/{self.image}/{self.volume}"

    def info(self, client: Client) -> dict[str, Any]:
        return dict(client.call("getVolumeInfo", self.domain, self.pool, self.image, self.volume)["info"])


def domains(client: Client) -> list[dict[str, Any]]:
    """Every domain this host sees: what it is."""
    ids = client.call("getStorageDomainsList", BLANK)["domlist"]
    return [{"uuid": id, **client.call("getStorageDomainInfo", id)["info"]} for id in ids]


def domain(client: Client, wanted: str) -> str:
    """The id of the domain that is meant."""
    if UUID.fullmatch(wanted):
        return wanted
    found = {one["uuid"]: one["name"] for one in domains(client)}
    hint = "`virgate storage domain list` shows those this host sees; `virgate storage server connect` makes more so."
    return _the_one("domain", wanted, found, hint)


def pool(client: Client) -> str:
    """The pool this host is connected to."""
    found = client.call("getConnectedStoragePoolsList")["poollist"]
    if not found:
        raise Problem(
            "This host is connected to no pool.",
            "`virgate storage pool connect MASTER` connects one, `virgate storage pool create` makes one.",
        )
    return str(found[0])


def disks(client: Client, pool: str, domain: str) -> Iterator[Disk]:
    """The volumes of a domain, image by image."""
    for image in sorted(client.call("getImagesList", domain)["imageslist"]):
        for id in client.call("getVolumesList", domain, pool, image)["uuidlist"]:
            yield Disk(pool, domain, image, id)


def pool_domains(client: Client, pool: str) -> list[str]:
    """The domains of the pool that are in use."""
    found = client.call("getStoragePoolInfo", pool)["dominfo"]
    return sorted(id for id, one in found.items() if one["status"] == "Active")


def disk(client: Client, wanted: str) -> Disk:
    """The volume that is meant: POOL/DOMAIN/IMAGE/VOLUME in full, a volume's id or its beginning, or a description."""
    parts = wanted.split("/")
    if len(parts) == 4 and all(UUID.fullmatch(part) for part in parts):
        return Disk(*parts)
    if len(parts) != 1:
        raise Problem(
            f"{wanted} names no volume.",
            "Give a volume's id, the beginning of it, its description, or POOL/DOMAIN/IMAGE/VOLUME with whole ids.",
        )
    connected = pool(client)
    known = {one.volume: one for id in pool_domains(client, connected) for one in disks(client, connected, id)}
    names = dict.fromkeys(known, "")
    if not any(_begins(id, wanted) for id in known):
        names = {id: one.info(client)["description"] for id, one in known.items()}
    return known[_the_one("volume", wanted, names, "`virgate storage volume list` shows those of the pool.")]


def _begins(id: str, wanted: str) -> bool:
    return len(wanted) >= LEAST_DIGITS and id.startswith(wanted)


def _the_one(what: str, wanted: str, known: Mapping[str, str], hint: str) -> str:
    exact = [id for id, name in known.items() if wanted and wanted in (id, name)]
    found: Iterable[str] = exact or [id for id in known if _begins(id, wanted)]
    ids = list(found)
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise Problem(f"No {what} is called {wanted}.", hint)
    raise Problem(f"{wanted} may be any of {', '.join(ids)}.", "Give the beginning of the id instead.")
