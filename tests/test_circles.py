from itertools import chain, count, cycle, islice

import pytest

from conversations_hub.circles import LATEST, MANY, Trodden


def steps_until_told(steps):
    """Return how many steps it takes to see a circle."""
    trodden = Trodden()
    for number, step in enumerate(steps):
        if step in trodden:
            return number
        trodden.add(step)
    raise AssertionError("the steps came to an end")


@pytest.mark.parametrize(("before", "length"), [(0, 1), (0, 2), (3, 1), (50, 7), (20_000, 9_999)])
def test_a_circle_is_seen_at_its_first_step_that_comes_again(before, length):
    steps = chain(range(before), cycle(range(before, before + length)))
    assert steps_until_told(steps) == before + length


@pytest.mark.parametrize(("before", "length"), [(0, 10_001), (7, 60_000), (30_000, 25_000)])
def test_a_longer_circle_is_seen_after_some_rounds(before, length):
    steps = chain(range(before), cycle(range(before, before + length)))
    assert steps_until_told(islice(steps, 4 * (before + length))) > before + length


def test_no_circle_is_seen_where_none_is_and_little_is_kept():
    trodden = Trodden()
    for step in islice(count(), 100_000):
        assert step not in trodden
        trodden.add(step)
    assert len(trodden._known) == len(trodden._order) == LATEST


def test_the_way_to_a_place_is_known_when_others_have_gone_on():
    trodden = Trodden()
    assert trodden.first(0) == ()
    for step in range(50):
        trodden.add(step)
        trodden.add(0)
    assert trodden.first(0) == ()
    assert trodden.first(30) == tuple(range(30))
    for step in range(50, LATEST + 20):
        trodden.add(step)
    assert trodden.first(30) == tuple(range(20, 30))
    assert trodden.first(10) == ()
    assert trodden.first(trodden.count) == tuple(range(LATEST + 20))[-MANY:]
