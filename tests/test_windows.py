"""How windows are cut and shared out, without any list."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.windows import START, Span, Window, beginning, cuts

SPANS = st.builds(
    lambda bottom, width, pace: Span(top=bottom + width, bottom=bottom, pace=pace),
    st.integers(-(10**13), 10**13),
    st.integers(-5, 10**12),
    st.integers(1, 10**12),
)


@given(st.lists(SPANS, max_size=8), st.integers(-2, 40))
def test_cuts_lie_inside_and_are_no_more_than_places(spans, idle):
    found = cuts(spans, idle)
    assert len(found) == len(spans)
    assert sum(map(len, found)) <= max(idle, 0)
    for span, borders in zip(spans, found, strict=True):
        assert borders == sorted(set(borders), reverse=True)
        assert all(span.bottom < border < span.top for border in borders)


def test_who_is_idle_goes_where_most_is_left():
    long, short = Span(top=1000, bottom=0, pace=10), Span(top=2000, bottom=1000, pace=400)
    assert cuts([long, short], 3) == [[750, 500, 250], []]
    assert cuts([short], 9) == [[1500]]
    assert cuts([Span(top=2000, bottom=1500, pace=400)], 9) == [[]], "as fast alone"
    assert cuts([], 9) == []


@pytest.mark.parametrize(("extent", "count"), [(None, 1), ((0, 100), 4), ((5, 5), 1), ((0, 3), 3)])
def test_windows_to_begin_with(extent, count):
    """They have no gaps, and no ends: what lies outside is not lost."""
    windows = beginning(extent, 4)
    assert len(windows) == count
    assert windows[0].hi is None
    assert windows[0].at == START
    assert windows[-1].lo is None
    for upper, lower in pairwise(windows):
        assert upper.lo == lower.hi == lower.at


@given(
    rows=st.lists(st.integers(0, 3000), max_size=200),
    size=st.integers(1, 9),
    places=st.integers(1, 8),
    order=st.randoms(use_true_random=False),
)
def test_every_number_is_read_whoever_comes_first(rows, size, places, order):
    """Walks that stop at their borders, cut while others are under way, read all, and end."""
    rows = sorted(set(rows), reverse=True)
    windows, read, requests = [Window()], set(), 0
    while windows:
        window = order.choice(windows)
        below = [row for row in rows if row <= window.at][: size + 1]
        requests += 1
        assert requests < 50 + 20 * len(rows)
        read.update(below)
        if len(below) <= size:
            windows.remove(window)
        else:
            window.moved((min(window.at, below[0]), below[-1]))
            # A border itself is read on both sides, so that less than it must be seen.
            if window.is_read:
                windows.remove(window)
        at_work = [w for w in windows if w.pace]
        spans = [Span(top=w.at, bottom=w.lo or 0, pace=w.pace) for w in at_work]
        for one, borders in zip(at_work, cuts(spans, places - len(windows)), strict=True):
            for border in reversed(borders):
                windows.append(Window(lo=one.lo, hi=border))
                one.lo = border
    assert read == set(rows)


def test_a_walk_that_cannot_tell_where_it_is_reads_to_the_end():
    window = Window(lo=10, hi=100)
    window.moved(None)
    assert (window.lost, window.lo) == (True, None)
    window.moved((50, 5))
    assert not window.is_read


def test_a_page_that_leads_nowhere_says_nothing_about_pace():
    window = Window(hi=100)
    window.moved((100, 60))
    window.moved((60, 60))
    assert (window.at, window.pace) == (60, 40)
