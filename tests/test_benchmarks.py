"""The benchmarks run, on next to nothing, and the READMEs say what they found.

Nothing is measured here; `python benchmarks/report.py` mends tables that are out of date.
"""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from conversations_hub.providers import PROVIDERS

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
NEEDS_BENCH = pytest.mark.skipif(
    find_spec("orjson") is None, reason="the extra bench is not installed"
)
NOTHING_WRONG = {0}
OUT_OF_DATE = "out of date: python benchmarks/report.py"
# What an SDK that may be missing, or a long run, would have added.
MAY_BE_MISSING = ("Sunshine's SDK", "1,000,000 items")


@pytest.fixture
def bench(monkeypatch):
    """Import one of the benchmarks' own modules, which are found where a program starts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@NEEDS_BENCH
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


@NEEDS_BENCH
def test_rivals_are_put_through_faults(tmp_path):
    found = tmp_path / "reliability.json"
    found.write_text('{"soak": 1}', encoding="utf-8")
    run = subprocess.run(
        [
            *(sys.executable, str(BENCHMARKS / "rivals.py"), "--only", "SDK, sync, as"),
            *("--rounds", "1", "--patience", "20", "--results", str(found)),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    whole = json.loads(found.read_text("utf-8"))
    assert whole["soak"] == 1
    [row] = whole["rivals"].values()
    # The first schedule is about a 429, which the SDK does not put up with.
    assert (row["reading"]["calls"], row["reading"]["told"]) == (1, 1)
    assert row["sending"]["calls"] == 6 > row["sending"]["told"] > 0


@NEEDS_BENCH
@pytest.mark.parametrize(
    ("kind", "wrong"), [("foreign link", "leaked"), ("repeated", "doubled"), ("circle", "hung")]
)
async def test_what_goes_wrong_is_counted(bench, kind, wrong):
    """By a client that follows every link with its credentials, whatever it has seen."""
    rivals, schedules = bench("rivals"), bench("schedules")
    [trusting] = [c for c in bench("contenders").CONTENDERS if "SDK, sync, as" in c.key]
    run = schedules.schedule(schedules.READS.index(kind), schedules.READS)
    async with schedules.Stranger() as stranger:
        found = await rivals.outcome(trusting, run, rivals.reading, stranger, 30)
    assert {one for one in bench("rivalry").WRONG if found[one]} == {wrong}


async def through_faults(bench, provider, seeds):
    """Return the row of the hub with one provider, which is not given long for an answer."""
    ours = bench("contenders").ours(provider, timeout=0.5)
    [row] = (await bench("rivals").rows([ours], seeds, 30)).values()
    return row


@NEEDS_BENCH
async def test_the_hub_is_not_among_those_that_fail(bench):
    """Each provider meets a quarter of the faults here, and all of them in the long run."""
    rows = await asyncio.gather(
        *(
            through_faults(bench, provider, range(number, 14, 4))
            for number, provider in enumerate(PROVIDERS)
        )
    )
    assert [wrong(bench, row) for row in rows] == [NOTHING_WRONG] * 4


@NEEDS_BENCH
@pytest.mark.reliability
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_hub_is_never_among_those_that_fail(bench, provider):
    row = await through_faults(bench, provider, range(56))
    assert wrong(bench, row) == NOTHING_WRONG
    assert row["sending"]["told"] > 0


def test_the_hub_was_not_among_those_that_failed(bench):
    rows = bench("rivalry").read()
    ours = [row for name, row in rows.items() if name.startswith("hub: ")]
    assert [wrong(bench, row) for row in ours] == [NOTHING_WRONG] * len(PROVIDERS)


def wrong(bench, row):
    rivalry = bench("rivalry")
    return {row[part][one] for part in rivalry.PARTS for one in rivalry.WRONG}


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
