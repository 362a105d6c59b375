"""Drop-in scripts: executables in a folder named like a hook point, run as spec hooks 2 says.

`discovery.py` finds them, `environment.py` and `datafile.py` make what they are given, `runner.py` runs them and gives
a `verdict.py`, `settle.py` turns that into what the point's contract says, `serving.py` makes implementations of hook
points out of it all (the plugin `virgate_plugins.scripts` and `virgate hooks try` use the same ones). `report.py` is
what a manager is told. `compat/` is no part of the package: it is put on PYTHONPATH for the scripts.
"""

from virgate.hookscripts.runner import Runner
from virgate.hookscripts.settings import HookSettings
from virgate.hookscripts.verdict import Ended, Verdict

__all__ = ["Ended", "HookSettings", "Runner", "Verdict"]
