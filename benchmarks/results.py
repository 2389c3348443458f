"""Keeps what was measured in a file, figure by figure, each with when and how it was."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figures import FIGURES

KEPT = Path(__file__).with_name("results.json")

Kept = Mapping[str, Mapping[str, Any]]


def keep(path: Path, name: str, spread: tuple[float, float, float], rounds: int) -> None:
    """Put a figure in the place of its earlier self; the others stay."""
    figure, (median, low, high) = FIGURES[name], spread
    found = {
        "median": _short(median),
        "low": _short(low),
        "high": _short(high),
        "goal": str(figure.goal) if figure.goal else None,
        "unit": figure.unit.strip(),
        "rounds": rounds,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
    }
    known = {**read(path), name: found}
    in_order = {name: known[name] for name in FIGURES if name in known}
    path.write_text(json.dumps(in_order, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(path: Path = KEPT) -> Kept:
    """Return what has been measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def shown(name: str, median: float, low: float, high: float) -> str:
    """Return a figure in words, with its goal."""
    figure = FIGURES[name]
    goal = f", goal {figure.goal}" if figure.goal else ""
    quarters = f" ({figure.text(low)} to {figure.text(high)})" if low != high else ""
    return f"{name}: {figure.text(median)}{quarters}{goal}"


def _short(value: float) -> float:
    return float(f"{value:.5g}")
