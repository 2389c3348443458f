"""Decides from a seed what goes wrong, the same for every client; plays the stranger, too."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from attrs import field, frozen, mutable

from conversations_hub.emulator import Faults, json_response
from conversations_hub.emulator.kinds import Means

# Longer than anybody is waited for.
HANG = 600.0
LONG = 10_000
SHARE = 0.08
FIRST, LAST = 1, 4
"""Between which requests, counted from 0, the fault strikes that a schedule is about."""
CIRCLE, FOREIGN = "circle", "foreign link"

LIGHT = ("429", "429 seconds", "500", "503", "reset", "half a body")
READS = (
    *("429", "429 seconds", "500", "502", "503", "504", "reset", "half a body", "redirect"),
    *(FOREIGN, "repeated", CIRCLE, "hang", "drip"),
)
WRITES = (
    *("429", "429 seconds", "500", "500 after", "503", "503 after", "504 after", "reset"),
    *("reset after", "half a body", "redirect", "hang after", "drip"),
)
SLOW = {"hang", "hang after", "drip"}


@frozen(kw_only=True)
class Schedule:
    """What befalls one run: a plan for its requests, and an answer whose link leads elsewhere."""

    seed: int
    plan: list[str | None]
    foreign: int | None = None
    """Which of the API's answers, counted from 0, leads to a stranger."""

    def faults(self, elsewhere: str, *, reads: bool) -> Faults:
        """Return a fresh layer of faults that befalls requests that read, or that write."""
        means = Means(hang=HANG, elsewhere=elsewhere)
        return Faults(seed=self.seed, plan=self.plan, reads=reads, writes=not reads, means=means)


def schedule(seed: int, kinds: tuple[str, ...]) -> Schedule:
    """Let the seed's own kind strike once, or for good, and light ones now and then after it.

    Before it there is peace: who gives up at the first fault has met it, too.
    """
    random = Random(f"rivals/{seed}")
    kind, at = kinds[seed % len(kinds)], random.randint(FIRST, LAST)
    later = [random.choice(LIGHT) if random.random() < SHARE else None for _ in range(100)]
    plan = [*[None] * (at + 1), *later]
    if kind == FOREIGN:
        return Schedule(seed=seed, plan=plan, foreign=at)
    plan[at:] = ["repeated"] * LONG if kind == CIRCLE else [kind, *later]
    return Schedule(seed=seed, plan=plan)


def misled(body: Any, origin: str, elsewhere: str) -> Any:
    """Let every address of ours in an answer lead to somebody else."""
    return json.loads(json.dumps(body).replace(origin, elsewhere))


def altered(answer: web.StreamResponse, origin: str, elsewhere: str) -> web.StreamResponse:
    """Return an answer with its links misled."""
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    return json_response(misled(json.loads(answer.body), origin, elsewhere), answer.status)


@mutable
class Stranger:
    """A server that nobody has business with; it notes whether a credential came along."""

    leaks: Counter[str] = field(factory=Counter, init=False)
    """How many requests with credentials came, by whose run it was."""
    _runner: web.ServerRunner | None = field(default=None, init=False)
    _port: int = field(default=0, init=False)

    def address(self, run: str) -> str:
        """Return where one run is led astray to: another host by name."""
        return f"http://localhost:{self._port}/{run}"

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "localhost", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if "Authorization" in request.headers:
            self.leaks[request.path.split("/")[1]] += 1
        return web.Response(status=404)
