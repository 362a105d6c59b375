"""The example of a storage type is a package of its own."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "contrib" / "examples" / "bindmount"


def test_it_can_be_installed_by_itself(tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    source = tmp_path / "source"
    source.mkdir()
    for path in PACKAGE.glob("*.py"):
        (source / path.name).write_bytes(path.read_bytes())
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(source)], check=True, capture_output=True)
    (points,) = (tmp_path / "site").glob("*-info/entry_points.txt")
    assert "example-bindmount = virgate_example_bindmount" in points.read_text()
