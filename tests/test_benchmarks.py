"""The benchmarks run, on next to nothing, and the READMEs say what they found.

Nothing is measured here; `python benchmarks/report.py` mends tables that are out of date.
"""

import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TINY = {
    "translate": [],
    "listing": ["--messages", "200"],
    "bulk": ["--conversations", "2", "--milliseconds", "1"],
    "parallel": ["--pages", "3", "--milliseconds", "1"],
    "prefetch": ["--pages", "2", "--milliseconds", "1"],
    "memory": ["--streamed", "400", "--held", "400"],
    "flat": ["--share", "0.002"],
    "policies": ["--requests", "2"],
    "imports": [],
}
OUT_OF_DATE = "out of date: python benchmarks/report.py"
# What an SDK that may be missing, or a long run, would have added.
MAY_BE_MISSING = ("Sunshine's SDK", "1,000,000 items")


@pytest.fixture
def bench(monkeypatch):
    """Import one of the benchmarks' own modules, which are found where a program starts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.skipif(find_spec("orjson") is None, reason="the extra bench is not installed")
@pytest.mark.parametrize("program", TINY)
def test_a_program_finds_its_figures(program, tmp_path, bench):
    figures = bench("figures").FIGURES
    found = tmp_path / "results.json"
    run = subprocess.run(
        [
            *(sys.executable, str(BENCHMARKS / f"{program}.py")),
            *("--rounds", "1", "--unpinned", "--results", str(found), *TINY[program]),
        ],
        check=False,
        capture_output=True,
        text=True,
        # So little is read that the compiling would take most of the time.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    known = {name for name, figure in figures.items() if figure.program == program}
    measured = set(json.loads(found.read_text("utf-8"))) if found.exists() else set()
    assert measured <= known
    left = {name for name in known - measured if not any(map(name.__contains__, MAY_BE_MISSING))}
    assert not left


def test_the_tables_say_what_was_measured(bench):
    report, kept = bench("report"), bench("results").read()
    for (page, name), made in report.tables(kept).items():
        text = page.read_text(encoding="utf-8")
        assert report.placed(text, name, made) == text, OUT_OF_DATE


def test_the_plot_shows_what_was_measured(bench):
    report, kept = bench("report"), bench("results").read()
    drawn = report.PLOT.read_text(encoding="utf-8")
    for rows in report.bars(kept).values():
        for label, _ in rows:
            assert escape(label) in drawn, OUT_OF_DATE


def test_what_was_measured_has_the_goals_of_today(bench):
    figures, kept = bench("figures").FIGURES, bench("results").read()
    for name, found in kept.items():
        goal = figures[name].goal
        assert found["goal"] == (str(goal) if goal else None)
        assert found["low"] <= found["median"] <= found["high"]
