"""Writes what was measured into the READMEs, and draws how far each figure is from its goal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import reliability
import rivalry
from attrs import frozen
from figures import FIGURES, GROUPS, Figure
from results import Kept, read

HERE = Path(__file__).parent
README, METHOD, PLOT = HERE.parent / "README.md", HERE / "README.md", HERE / "ratios.svg"
NONE = "–"  # noqa: RUF001 - as in the other tables
COLOURS = {True: "#2a7f4f", False: "#b5482a"}


@frozen
class Line:
    """A line of the project's own README: some figures that are read together."""

    says: str
    names: tuple[str, ...]


def _of(program: str, rows: Iterable[str], column: str) -> tuple[str, ...]:
    return tuple(f"{program}: {row}: {column}" for row in rows)


ALL = ("Twilio", "Sunshine", "Clio", "Circuit")
TWILIO = "Twilio, pages of"
SUMMARY = (
    Line(
        "a page of 100 messages, bytes to models ÷ `orjson.loads` to dicts: "
        "Twilio, Sunshine, Clio, Circuit; geometric mean",
        _of("translate", (*ALL, "geometric mean"), "models ÷ orjson"),
    ),
    Line(
        "list 20,000 messages in pages of 100 ÷ aiohttp and orjson by hand, to dicts: "
        "Twilio, Sunshine, Clio, Circuit",
        _of("listing", (f"{name}, pages of 100: hub ÷ by hand" for name in ALL), "wall"),
    ),
    Line(
        "the same in pages of 1,000, more than Twilio sends",
        _of("listing", (f"{TWILIO} 1,000: hub ÷ by hand",), "wall"),
    ),
    Line(
        "the vendors' SDKs ÷ this: Twilio's async, Twilio's sync, Sunshine's",
        _of(
            "listing",
            (
                f"{TWILIO} 100: Twilio's SDK, async ÷ hub",
                f"{TWILIO} 100: Twilio's SDK, sync ÷ hub",
                "Sunshine, pages of 100: Sunshine's SDK ÷ hub",
            ),
            "wall",
        ),
    ),
    Line(
        "messages of 500 conversations, 32 at a time ÷ workers written by hand; "
        "Twilio's async SDK ÷ this",
        _of("bulk", ("hub ÷ by hand", "Twilio's SDK, async ÷ hub"), "wall"),
    ),
    Line(
        "the same with answers that take 80 ms, ideal ÷ actual: 32 at a time, 64 at a time",
        _of("bulk", (f"ideal ÷ actual, 80 ms, {n} at a time" for n in (32, 64)), "wall"),
    ),
    Line(
        "100 pages at 80 ms from 16 places, times as fast: evenly spread, skewed",
        _of(
            "parallel",
            (f"Circuit, {how}, 16 at a time" for how in ("evenly spread", "skewed")),
            "speed-up",
        ),
    ),
    Line(
        "the same from both ends, times as fast: Twilio, Clio",
        _of("parallel", (f"{name}, from both ends" for name in ("Twilio", "Clio")), "speed-up"),
    ),
    Line(
        "pages fetched ahead of a consumer as slow as the answers, 80 ms, ideal ÷ actual",
        _of("prefetch", ("`prefetch=1`",), "80 ms"),
    ),
    Line(
        "memory that a stream of 1,000,000 messages adds after the first 50,000",
        _of("memory", ("1,000,000 messages streamed: growth after the first 50,000",), "memory"),
    ),
    Line(
        "memory of a held Twilio message: with `raw`, with `keep_raw=False`, a plain dict",
        _of(
            "memory",
            (
                "a held message, `raw` available",
                "a held message, `keep_raw=False`",
                "a held dict of `orjson.loads`",
            ),
            "memory",
        ),
    ),
    Line(
        "what retries, deadline and the gate add to a request",
        _of("policies", ("policies",), "each request"),
    ),
    Line(
        "`import conversations_hub` ÷ `import aiohttp`",
        _of("imports", ("`import conversations_hub` ÷ `import aiohttp`",), "ratio"),
    ),
)


def summary(kept: Kept) -> str:
    """Return the table of the project's own README."""
    lines = ["| | measured | goal |", "| --- | --- | --- |"]
    for line in SUMMARY:
        figures = [FIGURES[name] for name in line.names]
        measured = ", ".join(_median(figure, kept) for figure in figures)
        goals = ", ".join(str(figure.goal or NONE) for figure in figures)
        lines.append(f"| {line.says} | {measured} | {goals} |")
    return "\n".join(lines)


def table(program: str, kept: Kept) -> str:
    """Return the table of one program, as wide as it has columns."""
    figures = [figure for figure in FIGURES.values() if figure.program == program]
    columns = list(dict.fromkeys(figure.column for figure in figures))
    cells = {(figure.row, figure.column): _cell(figure, kept) for figure in figures}
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for row in dict.fromkeys(figure.row for figure in figures):
        shown = " | ".join(cells.get((row, column), "") for column in columns)
        lines.append(f"| {row} | {shown} |")
    return "\n".join([*lines, "", _told(figures, kept)])


def tables(kept: Kept) -> Mapping[tuple[Path, str], str]:
    """Return every table under its page and the name of its place there."""
    programs = dict.fromkeys(figure.program for figure in FIGURES.values())
    made = {(METHOD, program): table(program, kept) for program in programs}
    rivals = rivalry.read()
    return {
        (README, "speed"): summary(kept),
        (README, "reliability"): reliability.table(reliability.read()),
        (README, "rivals"): rivalry.summary(rivals),
        (METHOD, "rivals"): rivalry.table(rivals),
        **made,
    }


def placed(text: str, name: str, made: str) -> str:
    """Put a table where a page has its place."""
    pattern = f"<!-- {name} -->.*<!-- /{name} -->"
    whole = f"<!-- {name} -->\n\n{made}\n\n<!-- /{name} -->"
    text, found = re.subn(pattern, lambda _: whole, text, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"there are {found} places for the table {name}")
    return text


def bars(kept: Kept) -> Mapping[str, list[tuple[str, float]]]:
    """Return, by group, what the plot shows: a label, and by which factor the goal is missed."""
    return {
        group: [
            (
                f"{_plain(figure)}: {_median(figure, kept)} (goal {figure.goal})",
                figure.goal.missed_by(kept[figure.name]["median"]),
            )
            for figure in FIGURES.values()
            if figure.group == group and figure.goal and figure.name in kept
        ]
        for group in GROUPS
    }


def draw(kept: Kept) -> None:
    """Draw a bar for each figure that has a goal; the same figures give the same file."""
    import matplotlib as mpl  # noqa: PLC0415 - the tables do without

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "ratios", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - once it knows where to draw

    groups = {group: rows for group, rows in bars(kept).items() if rows}
    heights = [len(rows) + 1 for rows in groups.values()]
    sheet, axes = plt.subplots(
        len(groups),
        sharex=True,
        squeeze=False,
        figsize=(11, 0.22 * sum(heights) + 0.8),
        gridspec_kw={"height_ratios": heights},
    )
    for (group, rows), [axis] in zip(groups.items(), axes, strict=True):
        factors = [_drawable(factor) for _, factor in rows]
        # A bar begins at the goal, and what is better goes left.
        axis.barh(
            range(len(rows)),
            [factor - 1 for factor in factors],
            left=1,
            color=[COLOURS[factor <= 1] for factor in factors],
        )
        axis.set_yticks(range(len(rows)), [label for label, _ in rows])
        axis.invert_yaxis()
        axis.set_title(group, loc="left", fontweight="bold")
        axis.axvline(1, color="black", linewidth=1)
        axis.set_xscale("log", base=2)
        axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("better  ←  measured against the goal  →  worse")
    sheet.tight_layout()
    sheet.savefig(PLOT, metadata={"Date": None, "Creator": None})
    # Its paths are broken over lines, some of which end in blanks.
    lines = PLOT.read_text(encoding="utf-8").splitlines()
    PLOT.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")


def _drawable(factor: float) -> float:
    """Keep what is many times better, or nothing at all, within the picture."""
    return max(factor, 1 / 16)


def _plain(figure: Figure) -> str:
    column = "" if figure.column in {"ratio", "wall", "memory"} else f", {figure.column}"
    row = figure.row if figure.group != "decoding" else f"page of 100, {figure.row}"
    return f"{row}{column}".replace("`", "")


def _median(figure: Figure, kept: Kept) -> str:
    return figure.text(kept[figure.name]["median"]) if figure.name in kept else NONE


def _cell(figure: Figure, kept: Kept) -> str:
    if figure.name not in kept:
        return NONE
    found = kept[figure.name]
    low, high = (f"{found[edge]:,.{figure.digits}f}" for edge in ("low", "high"))
    quarters = f" ({low} to {high})" if low != high else ""
    goal = f", {figure.goal}" if figure.goal else ""
    return f"{_median(figure, kept)}{quarters}{goal}"


def _told(figures: Iterable[Figure], kept: Kept) -> str:
    """Return when and how a table's figures were found."""
    known = [kept[figure.name] for figure in figures if figure.name in kept]
    if not known:
        return "Not measured yet."
    when = sorted({found["date"] for found in known})
    rounds = sorted({found["rounds"] for found in known})
    pythons = sorted({found["python"] for found in known})
    dates = when[0] if len(when) == 1 else f"{when[0]} to {when[-1]}"
    count = f"{rounds[0]} to {rounds[-1]} rounds" if len(rounds) > 1 else f"{rounds[0]} rounds"
    return f"{dates}, {count}, Python {', '.join(pythons)}."


def main() -> None:
    kept = read()
    for (page, name), made in tables(kept).items():
        text = placed(page.read_text(encoding="utf-8"), name, made)
        page.write_text(text, encoding="utf-8")
    draw(kept)


if __name__ == "__main__":
    main()
