"""`python3 -m virgate_guest`."""

import sys

from virgate_guest.command import main

if __name__ == "__main__":
    sys.exit(main())
