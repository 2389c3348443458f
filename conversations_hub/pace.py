"""Everything that holds back the requests of one account, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, mutable

from conversations_hub.allowance import Allowance, Learned, Recovery
from conversations_hub.budget import Budget, Rate
from conversations_hub.turns import Turns

# Budgets of single conversations come and go; those that nobody uses are forgotten past so many.
KEPT = 256


@mutable(kw_only=True)
class Pace:
    """An account's budgets, what its answers tell, and whether it rests after a 429."""

    tells_allowance: bool
    _budgets: dict[tuple[str, Rate], Turns[Budget]] = field(factory=dict, init=False)
    _most: int = field(default=KEPT, init=False)
    """Beyond so many, those that nobody uses are looked for."""
    _learned: Turns[Learned] | None = field(default=None, init=False)
    _recovery: Turns[Recovery] | None = field(default=None, init=False)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing but budgets may hold a request back."""
        return not self.tells_allowance and self._recovery is None

    @property
    def recovery(self) -> Turns[Recovery] | None:
        """The queue of an account that answered 429, as long as it is not itself again."""
        if self._recovery is not None and self._recovery.limit.is_over:
            self._recovery = None
        return self._recovery

    def rest(self, now: float) -> float:
        """Return how long the account is left alone."""
        return recovery.limit.rest(now) if (recovery := self.recovery) is not None else 0.0

    def is_refused(self, known: Turns[Recovery] | None, now: float) -> bool:
        """Tell whether the account was refused since somebody passed the recovery or found none."""
        recovery = self.recovery
        return recovery is not None and (recovery is not known or recovery.limit.rest(now) > 0)

    def turns(self, rates: Mapping[str, Rate], now: float) -> Iterator[Turns[Any]]:
        """Yield the queues that a request has to pass, besides that of an account that rests.

        Each is to be entered before the next is asked for, since who is in none is forgotten.
        """
        for name, rate in rates.items():
            yield self._budget(name, rate, now)
        if self.tells_allowance:
            if self._learned is None:
                self._learned = Turns(limit=Learned())
            yield self._learned

    def told(self, allowance: Allowance | None, now: float) -> None:
        """Note what an answer tells."""
        if self._learned is not None:
            self._learned.limit.told(allowance, now)

    def refused(self, now: float, until: float) -> None:
        """Let the account rest: everybody else would only be refused, too."""
        if self.recovery is None:
            self._recovery = Turns(limit=Recovery())
        if (recovery := self._recovery) is not None:
            recovery.limit.refused(now, until)

    def close(self) -> None:
        """Let nobody wait any longer."""
        for turns in (*self._budgets.values(), self._learned, self._recovery):
            if turns is not None:
                turns.close()

    def _budget(self, name: str, rate: Rate, now: float) -> Turns[Budget]:
        key = name, rate
        if key not in self._budgets:
            if len(self._budgets) >= self._most:
                idle = [k for k, t in self._budgets.items() if t.is_free(now) and t.limit.is_idle]
                for one in idle:
                    del self._budgets[one]
                # Where nearly all are in use, each new one would look at all of them.
                self._most = max(KEPT, 2 * len(self._budgets))
            self._budgets[key] = Turns(limit=Budget(rate=rate))
        return self._budgets[key]
