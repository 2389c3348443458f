"""Every figure that the benchmarks find, where it stands in their tables, and its goal."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

PROVIDERS = {"twilio": "Twilio", "sunshine": "Sunshine", "clio": "Clio", "circuit": "Circuit"}
LISTS, DECODING, BULK = "lists", "decoding", "bulk"
SEVERAL, COST = "parallel and prefetch", "memory, requests, imports"
GROUPS = (LISTS, DECODING, BULK, SEVERAL, COST)


@frozen(kw_only=True)
class Goal:
    value: float
    is_least: bool = False
    """More is better; else less is."""

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.value:,g}"

    def missed_by(self, found: float) -> float:
        """Return a factor that is 1 where the goal is just reached and less beyond it."""
        return self.value / found if self.is_least else found / self.value


@frozen(kw_only=True)
class Figure:
    """`program`, `row` and `column` are its place: the program's table has them all."""

    program: str
    row: str
    column: str = "ratio"
    group: str
    goal: Goal | None = None
    unit: str = ""
    digits: int = 2

    @property
    def name(self) -> str:
        return f"{self.program}: {self.row}: {self.column}"

    def text(self, value: float) -> str:
        return f"{value:,.{self.digits}f}{self.unit}"


def least(value: float) -> Goal:
    return Goal(value=value, is_least=True)


def most(value: float) -> Goal:
    return Goal(value=value)


def both(figure: Figure) -> list[Figure]:
    """Return a figure twice, of the time on the clock and of the client's processor."""
    return [evolve(figure, column="wall"), evolve(figure, column="CPU of the client")]


def _translate() -> list[Figure]:
    goals = {"twilio": 1.0, "sunshine": 1.2, "circuit": 1.8, "clio": 0.85}
    columns: dict[str, Mapping[str, float]] = {
        "models ÷ orjson": {**goals, "mean": 1.1},
        "models ÷ msgspec": {},
        "raw key ÷ orjson": {"mean": 2.1},
        "raw dict ÷ orjson": {"mean": 2.1},
        "a bad record ÷ none": dict.fromkeys(goals, 4.0),
    }
    rows = {**PROVIDERS, "mean": "geometric mean"}
    found = [
        Figure(
            program="translate",
            row=row,
            column=column,
            group=DECODING,
            goal=most(known[name]) if name in known else None,
        )
        for name, row in rows.items()
        for column, known in columns.items()
    ]
    sizes = [
        Figure(program="translate", row=row, column="page", group=DECODING, unit=" kB", digits=0)
        for row in PROVIDERS.values()
    ]
    return sizes + found


def _listing() -> list[Figure]:
    shape = Figure(program="listing", row="", group=LISTS)
    found: list[Figure] = []
    for row in PROVIDERS.values():
        found += both(evolve(shape, row=f"{row}, pages of 100: hub ÷ by hand", goal=most(1.0)))
    found += both(evolve(shape, row="Twilio, pages of 1,000: hub ÷ by hand", goal=most(0.8)))
    for size in ("100", "1,000"):
        row = f"Twilio, pages of {size}: hub with `prefetch=0` ÷ by hand"
        found += both(evolve(shape, row=row))
    sdks = {
        "Twilio, pages of 100: Twilio's SDK, async ÷ hub": least(5.5),
        "Twilio, pages of 1,000: Twilio's SDK, async ÷ hub": least(5.5),
        "Twilio, pages of 100: Twilio's SDK, sync ÷ hub": least(7.5),
        "Sunshine, pages of 100: Sunshine's SDK ÷ hub": least(22),
    }
    for row, goal in sdks.items():
        wall, cpu = both(evolve(shape, row=row))
        found += [evolve(wall, goal=goal), cpu]
    return found


def _bulk() -> list[Figure]:
    shape = Figure(program="bulk", row="", column="wall", group=BULK)
    sdk = evolve(shape, row="Twilio's SDK, async ÷ hub")
    ideal = {(80, 32): 0.95, (80, 64): 0.93, (20, 32): 0.90, (20, 64): 0.65}
    return [
        *both(evolve(shape, row="hub ÷ by hand", goal=most(0.95))),
        evolve(sdk, goal=least(5)),
        evolve(sdk, column="CPU of the client"),
        *(
            evolve(shape, row=f"ideal ÷ actual, {ms} ms, {many} at a time", goal=least(goal))
            for (ms, many), goal in ideal.items()
        ),
    ]


def _parallel() -> list[Figure]:
    shape = Figure(program="parallel", row="", group=SEVERAL)
    speed, extra = "speed-up", "more requests"
    rows = {
        "Circuit, evenly spread, 16 at a time": (least(13), most(25)),
        "Circuit, skewed, 16 at a time": (least(10), most(25)),
        "Twilio's conversations, day by day, 16 at a time": (None, None),
        "Twilio, from both ends": (least(1.9), None),
        "Clio, from both ends": (least(1.9), None),
    }
    return [
        figure
        for row, (fast, few) in rows.items()
        for figure in (
            evolve(shape, row=row, column=speed, goal=fast),
            evolve(shape, row=row, column=extra, goal=few, unit=" %", digits=0),
        )
    ]


def _prefetch() -> list[Figure]:
    goals = {(80, 1): 0.97, (20, 1): 0.93}
    return [
        Figure(
            program="prefetch",
            row=f"`prefetch={pages}`",
            column=f"{ms} ms",
            group=SEVERAL,
            goal=least(goals[ms, pages]) if (ms, pages) in goals else None,
        )
        for pages in (0, 1, 2)
        for ms in (80, 20)
    ]


def _memory() -> list[Figure]:
    shape = Figure(program="memory", row="", group=COST, column="memory", unit=" B", digits=0)
    growth = "1,000,000 messages streamed: growth after the first 50,000"
    return [
        evolve(shape, row=growth, goal=most(5), unit=" MB", digits=1),
        evolve(shape, row="a held message, `raw` available", goal=most(1750)),
        evolve(shape, row="a held message, `keep_raw=False`", goal=most(700)),
        evolve(shape, row="a held dict of `orjson.loads`"),
    ]


def _others() -> list[Figure]:
    policies = Figure(program="policies", row="", group=COST, column="each request")
    imports = Figure(program="imports", row="", group=COST, goal=most(1.3))
    flat = Figure(program="flat", row="", column="against 1,000 items", group=COST, goal=most(1.1))
    return [
        *(evolve(flat, row=f"{count:,} items") for count in (10_000, 100_000, 1_000_000)),
        evolve(policies, row="policies", goal=most(8), unit=" µs", digits=1),
        evolve(policies, row="policies, CPU of the client", unit=" µs", digits=1),
        evolve(policies, row="share of a GET by hand", goal=most(7), unit=" %", digits=1),
        evolve(imports, row="`import conversations_hub` ÷ `import aiohttp`"),
        evolve(imports, row="`from conversations_hub import ConversationsHub` ÷ `import aiohttp`"),
    ]


FIGURES = {
    figure.name: figure
    for figure in (
        *_listing(),
        *_translate(),
        *_bulk(),
        *_parallel(),
        *_prefetch(),
        *_memory(),
        *_others(),
    )
}
