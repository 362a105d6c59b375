#!/usr/bin/env python3
"""A stand-in for virt-v2v 2.2: it takes the same arguments and says what the real one says, in the same form.

It converts nothing: every volume gets a known content. STAND_IN (a folder) keeps what it was asked; a file `order`
there says how it ends: `fail` (as for a disk without an operating system), `hang`, else well.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

notes = Path(os.environ["STAND_IN"])
options: dict[str, list[str]] = {}
arguments = list(sys.argv[1:])
position = ""


def say(kind: str, text: str) -> None:
    print(json.dumps({"message": text, "timestamp": "2026-01-01T00:00:00+00:00", "type": kind}), flush=True)
    if kind == "message":
        print(f"[{time.monotonic() % 100:6.1f}] {text}", flush=True)


while arguments:
    word = arguments.pop(0)
    if word in ("-v", "-x", "--machine-readable"):
        options[word] = []
    elif word == "-i":
        options["-i"] = [arguments.pop(0), arguments.pop(0)]
    elif word.startswith("-"):
        options.setdefault(word, []).append(arguments.pop(0))
    else:
        position = word
details = [tuple(one.split("=", 1)) for one in options.get("-oo", [])]
named = dict(details)
password = Path(options["-ip"][0]) if "-ip" in options else None
seen = {
    "argv": sys.argv[1:],
    "password": password.read_text() if password else None,
    "mode": oct(password.stat().st_mode & 0o777) if password else None,
    "nice": os.nice(0),
    "name": position,
    "pid": int(os.readlink("/proc/self")),  # as the host counts
    "environment": {key: os.environ.get(key) for key in ("LIBGUESTFS_BACKEND", "VIRTIO_WIN", "VIRT_V2V_TMPDIR")},
}
(notes / "seen.new").write_text(json.dumps(seen))
(notes / "seen.new").rename(notes / "seen")
order = (notes / "order").read_text() if (notes / "order").exists() else ""

print("libguestfs: trace: set_verbose true", file=sys.stderr)
say("message", "Setting up the source")
say("message", "Inspecting the source")
if order == "fail":
    print("virt-v2v: error: no root device found in this operating system image.", file=sys.stderr)
    say("error", "no root device found in this operating system image.")
    print("libguestfs: closing guestfs handle 0x55e7b2be9f60 (state 0)", file=sys.stderr)
    sys.exit(1)
images = [value for key, value in details if key == "vdsm-image-uuid"]
volumes = [value for key, value in details if key == "vdsm-vol-uuid"]
for number, (image, volume) in enumerate(zip(images, volumes, strict=True), 1):
    path = Path(options["-os"][0]) / "images" / image / volume
    say("message", f"Copying disk {number}/{len(images)}")
    with path.open("r+b") as target:
        target.write(f"converted {number}".encode())
    path.with_name(f"{volume}.meta").write_text("DOMAIN=of the converter\n")
    for percent in (10, 55, 100):
        sys.stdout.write(f"█ {percent}% [{'*' * (percent // 3):-<34}]\r")
        sys.stdout.flush()
        if order == "hang" and percent == 55:
            while True:
                signal.pause()
    print(flush=True)
ovf = Path(named["vdsm-ovf-output"]) / f"{named['vdsm-vm-uuid']}.ovf"
ovf.write_text(f"<ovf:Envelope>{position or 'of an archive'}</ovf:Envelope>")
say("message", "Finishing off")
