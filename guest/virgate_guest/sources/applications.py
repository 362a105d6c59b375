"""Installed packages of a list of names (spec guest-agent 3.1, 6.4): read from the package systems' own files.

Only rpm's database has no format to rely on; there the program is asked, when the database changed.
"""

import os
from fnmatch import fnmatchcase
from itertools import chain

from virgate_guest import __version__
from virgate_guest.errands import Errands, program
from virgate_guest.sources import Kept, signature
from virgate_guest.wire import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DPKG = "/var/lib/dpkg/status"
APK = "/lib/apk/db/installed"
PACMAN = "/var/lib/pacman/local"
RPM = tuple(
    folder + "/" + name
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
    for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db")
)
RPM_FORM = "%{NAME}-%{VERSION}-%{RELEASE}\\n"
OURS = "virgate-guest-" + __version__
PATIENCE = 30.0


class Wanted:
    """Names and patterns to look for."""

    def __init__(self, names: "list[str]") -> None:
        self._exact = {name for name in names if not set(name) & set("*?[")}
        self._patterns = [name for name in names if set(name) & set("*?[")]

    def __contains__(self, name: str) -> bool:
        return name in self._exact or any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def exact(self) -> "list[str]":
        return sorted(self._exact)

    def patterns(self) -> "list[str]":
        return self._patterns


def of_dpkg(lines: "Iterable[bytes]", wanted: Wanted) -> "list[str]":
    """NAME-VERSION of installed packages; one that only provides a wanted name is told under that name."""
    found: list[str] = []
    name = version = provides = ""
    is_installed = False
    for line in chain(lines, (b"\n",)):
        first = line[:1]
        if first == b"P":
            if line.startswith(b"Package: "):
                name, version, provides, is_installed = text(line[9:]).strip(), "", "", False
            elif line.startswith(b"Provides: "):
                provides = text(line[10:])
        elif first == b"S" and line.startswith(b"Status: "):
            is_installed = line.rstrip().endswith(b" installed")
        elif first == b"V" and line.startswith(b"Version: "):
            version = text(line[9:]).strip()
        elif first == b"\n" and is_installed and name:
            names = [name] if name in wanted else _provided(provides, wanted)
            found += [f"{one}-{version}" for one in names]
            name = ""
    return found


def _provided(provides: str, wanted: Wanted) -> "list[str]":
    if not provides:
        return []
    names = [piece.split("(")[0].strip() for piece in provides.split(",")]
    return [name for name in names if name in wanted.exact()]


def of_apk(lines: "Iterable[bytes]", wanted: Wanted) -> "list[str]":
    found = []
    name = ""
    for line in lines:
        if line.startswith(b"P:"):
            name = text(line[2:]).strip()
        elif line.startswith(b"V:") and name in wanted:
            found.append(f"{name}-{text(line[2:]).strip()}")
    return found


def of_pacman(folders: "Iterable[str]", wanted: Wanted) -> "list[str]":
    """Its folders are named NAME-VERSION-RELEASE."""
    return [folder for folder in folders if folder.rsplit("-", 2)[0] in wanted]


def rpm_questions(rpm: str, wanted: Wanted) -> "list[list[str]]":
    """The programs to run: names are looked up in an index, patterns read the whole database."""
    asked = [[rpm, "-q", "--qf", RPM_FORM, "--", *wanted.exact()]]
    if wanted.patterns():
        asked.append([rpm, "-qa", "--qf", RPM_FORM, "--", *wanted.patterns()])
    return asked


def of_rpm(output: bytes) -> "list[str]":
    """Lines without a space; the others say that a package is not there."""
    return [line for line in text(output).splitlines() if line and " " not in line]


class Applications:
    """What is installed, each once, in order."""

    def __init__(self, errands: Errands, names: "list[str]") -> None:
        self._errands = errands
        self._wanted = Wanted([name for name in names if not name.startswith("-")])
        self._files = Kept((DPKG, APK, PACMAN), self._of_files)
        self._rpm: list[str] = []
        self._rpm_seen = signature(())
        self._asking = 0

    def get(self) -> "list[str]":
        files = self._files.get()
        assert isinstance(files, list)
        return sorted({OURS, *files, *self._rpm})

    def ask(self, done: "Callable[[], None]") -> None:
        """Calls `done` when rpm's answer is in: at once when its database is as it was, or is not there."""
        seen = signature(RPM)
        rpm = program("rpm") if any(seen) else None
        if rpm is None or seen == self._rpm_seen or self._asking:
            done()
            return
        self._rpm_seen = seen
        questions = rpm_questions(rpm, self._wanted)
        self._asking = len(questions)
        found: list[str] = []

        def answered(code: "int | None", output: bytes) -> None:
            found.extend(of_rpm(output))
            self._asking -= 1
            if not self._asking:
                self._rpm = found
                done()

        for argv in questions:
            self._errands.run(argv, answered, PATIENCE)

    def _of_files(self) -> "list[str]":
        found: list[str] = []
        for path, read in ((DPKG, of_dpkg), (APK, of_apk)):
            try:
                with open(path, "rb") as file:
                    found += read(file, self._wanted)
            except OSError:
                continue
        try:
            found += of_pacman(os.listdir(PACMAN), self._wanted)
        except OSError:
            pass
        return found
