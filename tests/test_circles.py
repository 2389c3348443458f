from itertools import chain, count, cycle, islice

import pytest

from conversations_hub.circles import FEW, FIRST_FAR, LATEST, Trodden, Way


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


@pytest.mark.parametrize("each", [1, 7, FEW, 1000])
@pytest.mark.parametrize(("before", "length"), [(0, 1), (3, 40), (10, 300), (2000, 900)])
def test_a_circle_is_seen_by_those_who_go_on_after_one_another(before, length, each):
    """Each takes along what the checkpoint of the one before remembers."""
    steps = chain(range(before), cycle(range(before, before + length)))
    way = Way()
    for number, step in enumerate(islice(steps, 4 * (before + length) + FIRST_FAR)):
        if number % each == 0:
            trodden = Trodden.after(way)
            assert trodden.way == way
        if step in trodden:
            return
        trodden.add(step)
        way = trodden.way
    raise AssertionError("it goes round and round")


def test_a_checkpoint_of_a_way_without_circles_sees_none():
    way = Way()
    for step in range(500):
        trodden = Trodden.after(way)
        assert step not in trodden
        trodden.add(step)
        way = trodden.way
    assert (way.count, way.far, len(way.last)) == (500, 255, FEW)
