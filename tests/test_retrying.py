from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.errors import InvalidRequestError, RateLimitError, ServerError
from conversations_hub.retrying import pause_after, pauses, seconds_to_wait

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:05 -0000", 5.0),
        ("soon", None),
        ("-3", None),
        ("²", None),
        ("Sun, 22 Nov 99999999999 12:00:30 GMT", None),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert seconds_to_wait(header, NOW) == seconds


@given(st.floats(0, 100), st.floats(0, 20))
def test_what_the_server_asks_for_is_a_least(asked, planned):
    error = RateLimitError("", retry_after=asked)
    assert asked <= pause_after(error, planned) <= asked + 1


def test_waiting_helps_only_what_may_pass():
    assert pause_after(ServerError(""), 1.5) == 1.5
    assert pause_after(InvalidRequestError(""), 1.5) is None


def test_pauses_grow_to_a_bound_and_are_spread():
    seen = [list(islice(pauses(longest=4.0), 8)) for _ in range(50)]
    assert all(0 <= p <= min(4.0, 0.5 * 2**n) for run in seen for n, p in enumerate(run))
    assert max(run[-1] for run in seen) > 2.0
    assert len({run[3] for run in seen}) > 40
