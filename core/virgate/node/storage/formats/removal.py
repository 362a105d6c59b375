"""How what is about to be deleted is called, on file and on block domains (spec storage-format 1.4, 2.4)."""

REMOVED = "_remove_me_"
WIPED = f"{REMOVED}ZERO_"
"""The same for what has to be wiped before."""
