"""Operations of a host that is too busy to start programs quickly."""

import time

time.sleep(1.0)

OPERATIONS = {"sum": sum, "sleep": time.sleep}
