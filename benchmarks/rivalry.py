"""Keeps what became of the rivals in a file, and makes tables of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import reliability

WRONG = ("lost", "doubled", "leaked", "hung")
COUNTS = ("calls", *WRONG, "told")
PARTS = ("reading", "sending")

Rows = Mapping[str, Mapping[str, Any]]


def sums(runs: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up some runs."""
    found: Counter[str] = Counter()
    for run in runs:
        found.update(run)
    return {name: found[name] for name in COUNTS}


def keep(path: Path, rows: Rows) -> None:
    """Put rows in the place of their earlier selves; all else in the file stays."""
    whole = {**reliability.read(path), reliability.RIVALS: {**read(path), **rows}}
    text = json.dumps(whole, ensure_ascii=False, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")


def read(path: Path = reliability.KEPT) -> Rows:
    """Return the rows that there are."""
    return reliability.read(path).get(reliability.RIVALS, {})


def summary(rows: Rows) -> str:
    """Return the table of the project's own README: reading and sending together."""
    lines = [f"| | {' | '.join(COUNTS)} |", f"| --- |{' --- |' * len(COUNTS)}"]
    for name, row in rows.items():
        both = sums(row[part] for part in PARTS)
        shown = " | ".join(f"{both[one]:,}" for one in COUNTS)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def table(rows: Rows) -> str:
    """Return the table with all the numbers."""
    lines = [f"| | | {' | '.join(COUNTS)} |", f"| --- | --- |{' --- |' * len(COUNTS)}"]
    for name, row in rows.items():
        for part in PARTS:
            shown = " | ".join(f"{row[part][one]:,}" for one in COUNTS)
            lines.append(f"| {name} | {part} | {shown} |")
    return "\n".join([*lines, "", _told(rows.values())])


def _told(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return when, how and with what the rows were found."""
    known = list(rows)

    def each(name: str) -> str:
        return " and ".join(sorted({str(row[name]) for row in known}))

    versions = sorted({one for row in known for one in row["versions"].split(", ")})
    return (
        f"{each('date')}, {each('schedules')} schedules for reading and as many for sending, "
        f"{each('patience')} seconds of patience, Python {each('python')}, {', '.join(versions)}."
    )
