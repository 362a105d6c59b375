"""Volume groups by the program `lvm`: command lines and reports are pure, `lvm.py` runs and remembers."""
