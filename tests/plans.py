"""Has Hypothesis make up schedules of faults, for each case its own.

The suite tries the same few every time. `SCHEDULES` says how many to try instead, and those are new
ones each time; `SCHEDULES_SEED` brings back what was tried before.
"""

import os
import secrets

from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

ASKED = int(os.environ.get("SCHEDULES", "0"))
SEED = os.environ.get("SCHEDULES_SEED") or (secrets.token_hex(4) if ASKED else "the same")


def count(usual):
    """Return how many schedules of a case are tried."""
    return ASKED or usual


def tried(case, schedule, examples):
    """Try schedules of a case, each of which draws what it needs; one that fails says its seed."""

    @seed(f"{SEED}/{case}")
    @settings(max_examples=examples)
    @given(data=st.data())
    def one(data):
        note(f"tried with SCHEDULES_SEED={SEED!r}, {examples} of {case}")
        schedule(data.draw)

    one()
