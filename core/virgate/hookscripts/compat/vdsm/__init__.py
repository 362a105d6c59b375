"""The few names of the reference's package that hook scripts import (spec hooks 3.5). Not the reference's package."""
