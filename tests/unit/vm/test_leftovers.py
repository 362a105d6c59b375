"""What a killed daemon left of machines is found by their ids and by nothing else."""

from pathlib import Path

from virgate.node.vm import flags
from virgate.node.vm.leftovers import sweep
from virgate.node.vm.payload import folder

KNOWN, LOST = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def test_what_belongs_to_no_machine_goes_and_all_else_stays(tmp_path: Path) -> None:
    folder(tmp_path).mkdir()
    for vm in (KNOWN, LOST):
        (folder(tmp_path) / f"{vm}.0123.img").touch()
        flags.write(tmp_path, vm, 1)
    (folder(tmp_path) / ".making-x" / "files").mkdir(parents=True)
    (tmp_path / "channels").mkdir()
    (tmp_path / "pid").touch()
    sweep(tmp_path, {KNOWN})
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == sorted([KNOWN, f"{KNOWN}/launchflags", "channels", "payload", f"payload/{KNOWN}.0123.img", "pid"])


def test_a_run_folder_that_was_never_used_is_no_error(tmp_path: Path) -> None:
    sweep(tmp_path / "run", ())
