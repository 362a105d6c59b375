"""One module per noun; importing this package declares every built-in verb."""
