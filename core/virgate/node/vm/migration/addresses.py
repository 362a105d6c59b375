"""Where a machine goes: the destination as clients write it, the URIs made of it (spec migration 5.2, 5.3). Pure."""

from ipaddress import IPv6Address, ip_address

from attrs import frozen

from virgate.node.vm.migration.errors import BadOrder

PORT = 54321


@frozen
class Destination:
    """`host` without brackets."""

    host: str
    port: int = PORT

    @classmethod
    def read(cls, given: str) -> "Destination":
        """`host[:port]`; an IPv6 address stands in brackets, else its last group is taken for a port."""
        text = given.strip()
        if text.startswith("["):
            host, closed, rest = text[1:].partition("]")
            port = rest.removeprefix(":")
            if not closed or (rest and not rest.startswith(":")):
                raise BadOrder("dst", f"{given!r} is no address")
        else:
            host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
        if not host or any(sign in host for sign in "/?#@ \t\n%"):
            raise BadOrder("dst", f"{given!r} is no address")
        try:
            number = int(port) if port else PORT
        except ValueError:
            raise BadOrder("dst", f"{port!r} is no port") from None
        if not 0 < number < 65536:
            raise BadOrder("dst", f"{number} is no port")
        return cls(host, number)

    def __str__(self) -> str:
        return f"{literal(self.host)}:{self.port}"


def literal(host: str) -> str:
    """The host as it stands in a URI."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return f"[{bare}]" if isinstance(ip_address(bare), IPv6Address) else bare
    except ValueError:
        return bare


def connection_uri(host: str, *, tls: bool, template: str = "") -> str:
    """Where the destination's hypervisor is reached."""
    return (template or f"qemu+{'tls' if tls else 'tcp'}://{{host}}/system").replace("{host}", literal(host))


def data_uri(host: str) -> str:
    """Where the guest's memory goes; the destination chooses the port."""
    return f"tcp://{literal(host)}"
