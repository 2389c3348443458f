"""Keeps what came of schedules of faults, and makes the README's table of it.

The tests write the file: `RELIABILITY_OUT=benchmarks/reliability.json SCHEDULES=80 pytest
tests/providers/test_fates.py tests/providers/test_schedules.py`; `soak.py` and `rivals.py` add
parts of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("reliability.json")
SOAK, RIVALS = "soak", "rivals"
COLUMNS = {
    "schedules": "schedules",
    "requests": "requests",
    "faults": "faults",
    "errors": "errors told",
    "delivered": "delivered or written",
    "lost": "lost",
    "doubled": "doubled",
}

Found = Mapping[str, Mapping[str, Any]]


def read(path: Path = KEPT) -> Found:
    """Return the sums of each case."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def table(found: Found) -> str:
    """Return a line for what was read and what was written at each provider, and their sum."""
    rows: dict[str, Counter[str]] = {}
    for case, sums in found.items():
        if case in {SOAK, RIVALS}:
            continue
        doing, name, *_ = case.split(": ")
        row = rows.setdefault(f"{name.capitalize()}, {doing}", Counter())
        row.update({column: sums[column] for column in COLUMNS})
    rows["all"] = sum(rows.values(), Counter())
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    lines += [
        f"| {name} | {' | '.join(f'{row[column]:,}' for column in COLUMNS)} |"
        for name, row in rows.items()
    ]
    return "\n".join([*lines, *_soaked(found.get(SOAK))])


def _soaked(soak: Mapping[str, Any] | None) -> list[str]:
    if soak is None:
        return []
    told = (
        f"A soak of {soak['minutes']:g} minutes, reading and writing at all four at once with "
        f"{soak['share']:.0%} faults: {soak['requests']:,} requests, {soak['faults']:,} faults, "
        f"{soak['delivered']:,} records delivered, {soak['written']:,} written, {soak['lost']} "
        f"lost, {soak['doubled']} doubled, {soak['warnings']} warnings, {soak['sockets']} sockets "
        f"left open; memory after the first sixth {soak['growth']:+.1f} MB."
    )
    return ["", told]
