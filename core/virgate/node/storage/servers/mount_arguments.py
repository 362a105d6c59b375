"""What clients may say about a mount, and the command line that is made of it. Pure.

The words come from outside: none may be taken for an option of mount(8), change another mount, or name programs.
"""

import re

from virgate.node.storage.errors import IllegalMountOptions, WrongMountType

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", re.ASCII)
_OTHER_MOUNTS = frozenset(
    {
        "remount", "move", "bind", "rbind", "shared", "rshared", "slave", "rslave", "private", "rprivate",
        "unbindable", "runbindable", "helper", "uhelper",
    }
)  # fmt: skip
"""Options that act on another mount than the one that is made, or let a program of somebody's choice do it."""


def checked_options(options: str) -> str:
    """`IllegalMountOptions` (471) for what is no list of options of one new mount."""
    if not options.isprintable():
        raise IllegalMountOptions(options, "it is no list of words with commas between them")
    for option in options.split(","):
        name = option.partition("=")[0].strip()
        if name.startswith("-") or name.lower() in _OTHER_MOUNTS or name.lower().startswith("x-mount."):
            raise IllegalMountOptions(options, f"'{name}' does not belong to a mount of storage")
    return options


def checked_type(file_system: str) -> str:
    """`WrongMountType` (470) for what cannot be the name of a file system."""
    if not _TYPE.fullmatch(file_system) or file_system.startswith("no"):
        raise WrongMountType(file_system)
    return file_system


def checked_remote(remote: str) -> str:
    """`IllegalMountOptions` (471) for what would not be taken as the name of a place."""
    if not remote or remote.startswith("-") or not remote.isprintable():
        raise IllegalMountOptions(remote, "it names no place that can be mounted")
    return remote


def joined(*options: str) -> str:
    """Options as one list; empty ones are left out."""
    return ",".join(option for option in options if option)


def names(options: str) -> set[str]:
    """The option names in a list."""
    return {option.partition("=")[0].strip() for option in options.split(",")}


def mount_argv(remote: str, point: str, file_system: str, options: str) -> list[str]:
    """Checked again here, whoever made the words; `bind` may come from a type, but not from a client."""
    argv = ["mount"]
    if file_system:
        argv += ["-t", file_system if file_system == "none" else checked_type(file_system)]
    if options:
        if options.startswith("-") or not options.isprintable():
            raise IllegalMountOptions(options, "it is no list of words with commas between them")
        argv += ["-o", options]
    return [*argv, "--", checked_remote(remote), point]


def unmount_argv(point: str) -> list[str]:
    """By force, and out of sight at once even if it is in use or its server is dead."""
    return ["umount", "-f", "-l", "--", point]
