"""Counts what schedules of faults did; `RELIABILITY_OUT` names a JSON file that keeps it."""

import fcntl
import json
import os
from collections import Counter
from pathlib import Path

COLUMNS = ("schedules", "requests", "faults", "errors", "delivered", "lost", "doubled")


class Ledger:
    """The sums of one case, and how often each kind of fault struck."""

    def __init__(self, case):
        self.case = case
        self.sums = Counter(dict.fromkeys(COLUMNS, 0))
        self.kinds = Counter()

    def add(self, struck, **sums):
        """Add one schedule."""
        self.sums.update({"schedules": 1, "faults": len(struck), **sums})
        self.kinds.update(one.kind for one in struck)

    def keep(self):
        """Put the sums in the place of those of an earlier run; the other cases stay."""
        if path := os.environ.get("RELIABILITY_OUT"):
            keep(Path(path), self.case, {**self.sums, "kinds": dict(sorted(self.kinds.items()))})


def keep(path, case, found):
    """Write one case into the file, which other processes may be at, too."""
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        file.truncate(0)
        json.dump(dict(sorted({**known, case: found}.items())), file, indent=1)
        file.write("\n")
