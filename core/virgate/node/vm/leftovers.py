"""What a daemon that was killed in the middle of starting machines left of them in the run folder."""

import shutil
from collections.abc import Container
from pathlib import Path

from virgate.node.vm import flags, payload


def sweep(run_dir: Path, keep: Container[str]) -> None:
    """Deletes payload images and launch flags of machines that are not in `keep`; payloads may hold passwords."""
    images = payload.folder(run_dir)
    for image in images.glob("*.img"):
        if image.name.partition(".")[0] not in keep:
            image.unlink(missing_ok=True)
    for unfinished in images.glob(f"{payload.UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    for file in run_dir.glob("*/launchflags"):
        if file.parent.name not in keep:
            flags.remove(run_dir, file.parent.name)
