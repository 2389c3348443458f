import pytest
from hypothesis import strategies as st

import plans


def drawn(case, seed, monkeypatch):
    """Return what schedules of a case draw."""
    found = []
    monkeypatch.setattr(plans, "SEED", seed)
    plans.tried(case, lambda draw: found.append(draw(st.integers())), 20)
    return found


def test_each_case_has_schedules_of_its_own_and_a_seed_brings_them_back(monkeypatch):
    first = drawn("a", "s", monkeypatch)
    assert first == drawn("a", "s", monkeypatch)
    assert first != drawn("b", "s", monkeypatch)
    assert first != drawn("a", "t", monkeypatch)


def test_a_schedule_that_fails_says_its_seed(monkeypatch):
    monkeypatch.setattr(plans, "SEED", "s")
    with pytest.raises(ZeroDivisionError) as caught:
        plans.tried("a", lambda draw: 1 // draw(st.just(0)), 20)
    assert "tried with SCHEDULES_SEED='s', 20 of a" in caught.value.__notes__
