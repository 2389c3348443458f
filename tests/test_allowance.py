"""What answers tell of an account, and how it is asked again after a 429."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.allowance import PATIENCE, Allowance, Learned, Recovery


def told(remaining, *, limit=5, seconds=10.0, window=1.0):
    return Allowance(limit=limit, remaining=remaining, seconds=seconds, window=window)


def test_one_asks_for_all_until_something_is_known():
    learned = Learned()
    assert learned.pause(0.0) == 0.0
    learned.take(0.0)
    assert learned.pause(0.4) == pytest.approx(PATIENCE - 0.4)
    learned.told(told(4), 0.5)
    learned.answered(0.5)
    assert learned.pause(0.5) == 0.0


@pytest.mark.parametrize("end", ["it tells nothing", "it takes its time"])
def test_nobody_waits_for_what_is_not_told(end):
    learned = Learned()
    learned.take(0.0)
    if end == "it tells nothing":
        learned.told(None, 0.1)
        learned.answered(0.1)
        for _ in range(2):
            assert learned.pause(0.1) == 0.0
            learned.take(0.1)
    else:
        assert learned.pause(PATIENCE) == 0.0


def test_who_sends_nothing_uses_no_place():
    learned = Learned()
    learned.take(0.0)
    learned.give_back()
    assert learned.pause(0.1) == 0.0
    learned.take(0.1)
    assert learned.pause(0.1) == pytest.approx(PATIENCE)  # this one asks for all now
    learned.told(told(1), 0.2)
    learned.answered(0.2)
    learned.take(0.3)
    learned.give_back()
    assert learned.pause(0.3) == 0.0
    recovery = Recovery()
    recovery.refused(0.0, 1.0)
    for _ in range(100):
        recovery.take(1.0)
        recovery.give_back()
    assert rounds(recovery, 1.0, 2) == [1, 2]


def test_after_a_refusal_that_does_not_tell_one_asks_for_all_again():
    learned = Learned()
    learned.take(0.0)
    learned.answered(0.1)
    assert learned.pause(0.1) == 0.0
    learned.take(0.1)
    assert learned.pause(0.1) == pytest.approx(PATIENCE)


def test_the_window_is_used_up_and_no_more_and_the_next_one_begins():
    learned, asked = Learned(), 0
    learned.take(0.0)
    learned.told(told(4), 0.1)
    learned.answered(0.1)
    while learned.pause(0.2) == 0.0:
        learned.take(0.2)
        asked += 1
    assert asked == 4
    assert learned.pause(0.2) is None  # until an answer comes
    for _ in range(asked):
        learned.answered(0.3)
    assert learned.pause(0.3) == pytest.approx(9.8)
    assert learned.pause(10.1) == 0.0


def test_others_who_ask_the_same_account_are_noticed():
    learned = Learned()
    for remaining in (4, 0):
        learned.take(0.0)
        learned.told(told(remaining), 0.1)
        learned.answered(0.1)
    assert learned.pause(0.1) == pytest.approx(10.0)


def test_an_answer_of_a_window_that_is_over_says_nothing():
    learned = Learned()
    learned.take(0.0)
    learned.take(0.0)
    learned.told(told(4, window=2.0), 0.1)
    learned.told(told(0, window=1.0), 0.1)
    learned.answered(0.1)
    assert learned.pause(0.1) == 0.0


def test_an_account_that_falls_silent_is_asked_as_ever():
    learned = Learned()
    learned.take(0.0)
    learned.told(told(1, limit=1, seconds=1.0), 0.0)
    learned.answered(0.0)
    learned.take(0.0)
    learned.answered(0.5)
    now = 2.0
    for _ in range(3):  # in the next window its answers tell nothing
        assert learned.pause(now) == 0.0
        learned.take(now)
        learned.answered(now)


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1), st.floats(0, 1)), max_size=60),
)
def test_a_server_with_fixed_windows_never_refuses(limit, requests):
    """However long a request and its answer are on their way."""
    learned, now, length = Learned(), 0.0, 5.0
    used, under_way = {}, []

    def arrive(until):
        nonlocal now
        while under_way and under_way[0][0] <= until:
            moment, kind, answer = under_way.pop(0)
            now = max(now, moment)
            if kind == "arrives":
                place = int(moment // length)
                used[place] = used.get(place, 0) + 1
                assert used[place] <= limit
                left = limit - used[place]
                answer.append(
                    told(left, limit=limit, seconds=(place + 1) * length - moment, window=place)
                )
            else:
                # It was true when it was said; here it counts from the answer on, and so is longer.
                learned.told(answer[0], moment)
                learned.answered(moment)
        now = max(now, until)

    for idle, there, back in requests:
        arrive(now + idle)
        while (pause := learned.pause(now)) != 0.0:
            arrive(under_way[0][0] if pause is None else now + min(pause, 0.5))
            if learned._last is None and pause is not None and pause <= 0.5:
                break
        if learned.pause(now) != 0.0:
            continue
        if learned._last is None and learned._under_way:
            continue  # nobody waits for ever for the first answer, which is another matter
        learned.take(now)
        answer = []
        under_way += [
            (now + there, "arrives", answer),
            (now + there + back + 1e-6, "answered", answer),
        ]
        under_way.sort(key=lambda one: one[0])


def rounds(recovery, now, number):
    """Return how many are asked at a time, round after round."""
    widths = []
    for _ in range(number):
        width = 0
        while recovery.pause(now) == 0.0:
            recovery.take(now)
            width += 1
        assert recovery.pause(now) is None
        for _ in range(width):
            recovery.answered(now)
        widths.append(width)
    return widths


def test_after_a_429_an_account_is_asked_by_one_by_two_by_four():
    recovery = Recovery()
    recovery.refused(0.0, 5.0)
    assert recovery.pause(1.0) == 4.0
    assert rounds(recovery, 5.0, 6) == [1, 2, 4, 8, 16, 32]
    assert rounds(recovery, 5.0, 3) == [32, 33, 34]
    assert not recovery.is_over
    rounds(recovery, 5.0, 29)
    assert recovery.is_over


def test_refusals_that_come_one_by_one_after_a_short_rest_are_not_each_too_much():
    """They were sent at a time, and answered when the rest was over."""
    recovery = Recovery()
    for n in range(20):
        recovery.refused(0.1 * n, 0.1 * n + 0.01)
    recovery.take(2.0)
    recovery.answered(2.0)
    recovery.refused(2.0, 3.0)
    assert rounds(recovery, 3.0, 7) == [1, 2, 4, 8, 16, 32, 32]


def test_what_was_too_much_once_is_come_near_to_with_care():
    """All who were sent together and refused are one refusal."""
    recovery = Recovery()
    recovery.refused(0.0, 1.0)
    rounds(recovery, 1.0, 5)
    for _ in range(20):
        recovery.refused(2.0, 3.0)
    recovery.refused(2.1, 4.0)
    assert recovery.pause(3.0) == 1.0
    assert rounds(recovery, 4.0, 7) == [1, 2, 4, 8, 16, 16, 17]
