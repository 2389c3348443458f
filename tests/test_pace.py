"""The budgets of one account, of which there may be many."""

from conversations_hub.budget import Rate
from conversations_hub.pace import KEPT, Pace
from conversations_hub.turns import Turns

RATE = Rate(1, per=1.0)
MANY = 10 * KEPT


def asked(pace, name, now):
    """Ask once, which is answered at once; return the queue that was passed."""
    [turns] = pace.turns({name: RATE}, now)
    turns.limit.take(now)
    turns.limit.answered(now)
    return turns


def test_budgets_that_nobody_uses_are_forgotten():
    pace = Pace(tells_allowance=False)
    for n in range(MANY):
        asked(pace, f"conversation {n}", now=2.0 * n)
    assert len(pace._budgets) <= KEPT


def test_budgets_in_use_are_kept_and_not_looked_at_each_time(monkeypatch):
    looks, is_free = [], Turns.is_free
    monkeypatch.setattr(Turns, "is_free", lambda *given: looks.append(1) or is_free(*given))
    pace = Pace(tells_allowance=False)
    first = [asked(pace, f"conversation {n}", now=0.0) for n in range(MANY)]
    again = [asked(pace, f"conversation {n}", now=0.5) for n in range(MANY)]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert len(looks) < 2 * MANY
