"""The source side of a migration."""


class Departure:
    """One move of one machine away from this host."""
