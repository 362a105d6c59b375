"""The few names hook scripts import from here."""
