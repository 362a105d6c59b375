"""iscsiadm's records: text files of `key = value` lines. Pure.

iscsiadm would take a password on its command line only, where everybody can read it; so the line is written into the
record here.
"""

from collections.abc import Mapping
from typing import Any

from virgate_plugins.storage.iscsi.settings import IscsiSettings

END = "# END RECORD"
ROOTS = ("/etc/iscsi", "/var/lib/iscsi")
"""Where distributions keep the records; which one is built into iscsiadm."""


def changed(text: str, values: Mapping[str, str]) -> str:
    """The record with these values in place of what it said about them."""
    lines = [line for line in text.splitlines() if line.partition(" =")[0] not in values]
    end = lines.index(END) if END in lines else len(lines)
    lines[end:end] = [f"{key} = {value}" for key, value in values.items()]
    return "\n".join([*lines, ""])


def node_name(iqn: str, host: str, port: int, tpgt: int, iface: str) -> str:
    """The record of a session below the root."""
    return f"nodes/{iqn}/{host},{port},{tpgt}/{iface}"


def discovery_name(host: str, port: int) -> str:
    """The record of a portal that is asked for targets."""
    return f"send_targets/{host},{port}/st_config"


def node_values(settings: IscsiSettings, user: str, password: str, *, multipath: bool) -> dict[str, str]:
    """Nothing logs in by itself at boot: who connects storage says when."""
    seconds = str(settings.login_timeout)
    return {
        "node.startup": "manual",
        "node.conn[0].startup": "manual",
        "node.session.initial_login_retry_max": str(settings.login_attempts),
        "node.session.timeo.replacement_timeout": str(settings.outage(multipath)),
        "node.conn[0].timeo.login_timeout": seconds,
        "node.conn[0].timeo.auth_timeout": seconds,
        **_chap("node.session.auth", user, password),
    }


def discovery_values(settings: IscsiSettings, user: str, password: str) -> dict[str, str]:
    seconds = str(settings.login_timeout)
    return {
        "discovery.sendtargets.timeo.login_timeout": seconds,
        "discovery.sendtargets.timeo.auth_timeout": seconds,
        "discovery.sendtargets.reopen_max": str(settings.login_attempts - 1),
        **_chap("discovery.sendtargets.auth", user, password),
    }


def _chap(prefix: str, user: str, password: str) -> dict[str, str]:
    if not user:
        return {f"{prefix}.authmethod": "None"}
    return {f"{prefix}.authmethod": "CHAP", f"{prefix}.username": user, f"{prefix}.password": password}


def matches(session: Mapping[str, Any], wanted: Mapping[str, Any], addresses: set[str]) -> bool:
    """Is it a session with this portal group of this target, through this interface? `addresses` of the portal."""
    known = {session["address"], session["persistent_address"]}
    return (
        session["targetname"] == wanted["iqn"]
        and bool(known & addresses)
        and str(wanted["port"]) in (session["port"], session["persistent_port"])
        and session["tpgt"] == str(wanted["tpgt"])
        and (session["ifacename"] or "default") == wanted["iface"]
    )
