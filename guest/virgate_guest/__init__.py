"""The agent inside a virtual machine: Python's standard library only, nothing of the host's packages.

It is not built yet; the command exists so that packages and guests can already name it.
"""

import sys


def main() -> int:
    sys.stderr.write("virgate-guest: the guest agent is not built yet\n")
    return 1
