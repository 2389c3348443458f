"""Decides which requests go wrong, and how: by a seed, or by a plan; and keeps a log of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

from aiohttp import web
from attrs import field, frozen, mutable

from conversations_hub.emulator.kinds import FAULTS, READING, Kind, Means
from conversations_hub.emulator.server import Exchange
from conversations_hub.errors import ConfigurationError


@frozen(kw_only=True)
class Struck:
    """One request that went wrong."""

    provider: str
    number: int
    """How many requests that can go wrong came to the provider before it."""
    method: str
    target: str
    kind: str
    acted: bool
    """Whether the API did what it was told."""


def _known(names: Iterable[str]) -> list[str]:
    """Refuse a fault that there is not."""
    chosen = list(names)
    if unknown := set(chosen) - FAULTS.keys():
        raise ConfigurationError(
            f"no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}"
        )
    return chosen


@mutable(kw_only=True)
class Faults:
    """What befalls an emulator's requests, and what has befallen them: `struck`.

    A share of the requests meets a fault, of the `kinds` named, or of all but the largest. Which
    and when depends on the seed, the provider and how many requests came to it before. A `plan`
    says it request by request instead: names, or None to spare one; after its end all is well.
    Requests that read, or that write, can be left alone, and are not in the plan then.
    """

    seed: int = 1
    share: float = 0.05
    kinds: Iterable[str] = field(factory=lambda: [n for n, k in FAULTS.items() if not k.is_large])
    plan: Iterable[str | None] | None = None
    reads: bool = True
    writes: bool = True
    means: Means = field(factory=Means)
    """How long, how large and how far off."""
    struck: list[Struck] = field(factory=list, init=False)
    _seen: Counter[str] = field(factory=Counter, init=False)
    _chosen: list[str] = field(init=False)
    _left: list[str | None] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigurationError(f"share is a number from 0 to 1, not {self.share!r}")
        self._chosen = _known(self.kinds)
        self._left = None if self.plan is None else list(self.plan)
        _known(name for name in self._left or () if name is not None)

    def choice(self, provider: str, number: int, method: str) -> Kind | None:
        """Return what the seed has in store for a request; always the same."""
        random = self._random(provider, number)
        fitting = [name for name in self._chosen if FAULTS[name].fits(method)]
        return FAULTS[random.choice(fitting)] if fitting and random.random() < self.share else None

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Let the API answer, or let a fault strike; one that does not fit does not strike."""
        method, provider = exchange.request.method, exchange.api.name
        if not (self.reads if method in READING else self.writes):
            return await exchange.act()
        number, self._seen[provider] = self._seen[provider], self._seen[provider] + 1
        kind = self._next(provider, number, method)
        if kind is None or not kind.fits(method):
            return await exchange.act()
        struck = Struck(
            provider=provider,
            number=number,
            method=method,
            target=exchange.request.raw_path,
            kind=kind.name,
            acted=kind.acts,
        )
        # Some strike for long, and whoever waits for that may look.
        self.struck.append(struck)
        answer = await kind.strike(exchange, self.means, self._random(provider, number))
        if answer is None:
            self.struck.remove(struck)
            return await exchange.act()
        return answer

    def _next(self, provider: str, number: int, method: str) -> Kind | None:
        if self._left is None:
            return self.choice(provider, number, method)
        name = self._left.pop(0) if self._left else None
        return None if name is None else FAULTS[name]

    def _random(self, provider: str, number: int) -> Random:
        return Random(f"{self.seed}/{provider}/{number}")
