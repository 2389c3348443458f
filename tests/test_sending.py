"""What it means for a request that there was no time left."""

import asyncio

import pytest

from conversations_hub import RateLimitError, TransportError
from conversations_hub.sending import REFUSED, SPENT, Sending
from conversations_hub.wire import Request
from support import Acme

REQUEST = Request.of("https://acme.example/things?secret=1")


@pytest.fixture
def sending():
    return Sending(Acme(token="t"), REQUEST, "thing", begun=0.0, is_write=True)


@pytest.mark.parametrize("waits_for", ["token", "connection"])
def test_who_came_to_no_attempt_was_not_sent(sending, waits_for):
    sending.waits_for = waits_for
    error = sending.late(2.5, rest=0.0)
    assert type(error) is TransportError
    assert (error.sent, error.timed_out) == (False, False)
    assert f"no {waits_for} for https://acme.example/things within 2.5 s" in str(error)
    assert "secret" not in str(error)


def test_who_got_no_turn_is_told_so(sending):
    sending.waits_for = "turn"
    error = sending.late(2.5, rest=0.0)
    assert (type(error), error.retry_after) == (RateLimitError, None)
    assert "no turn for https://acme.example/things within 2.5 s" in str(error)
    sending.attempt = 1  # and what went wrong then is the cause
    assert type(sending.late(2.5, rest=0.0)) is TransportError


def test_an_attempt_that_is_not_answered_may_have_been_sent(sending):
    sending.begin()
    error = sending.late(2.5, rest=30.0)
    assert (type(error), error.sent, error.timed_out) == (TransportError, True, True)
    assert "no answer from https://acme.example/things within 2.5 s" in str(error)


def test_who_waits_for_an_account_that_rests_is_told_how_long(sending):
    error = sending.late(2.5, rest=3600.0)
    assert (type(error), error.retry_after, error.status) == (RateLimitError, 3600.0, None)
    assert "for 3600 s more" in str(error)
    assert REFUSED in str(error)
    assert "not sent" in str(error)


async def test_a_wait_is_checked_against_the_deadline(sending):
    sending.check_wait(1e9, SPENT)  # which nothing bounds
    sending.clock = asyncio.Timeout(asyncio.get_running_loop().time() + 10)
    sending.check_wait(None, SPENT)  # nobody knows how long
    sending.check_wait(9.0, SPENT)
    with pytest.raises(RateLimitError, match="rate is used up for 11 s more") as caught:
        sending.check_wait(11.0, SPENT)
    assert caught.value.provider == "acme"
    sending.begin()
    with pytest.raises(TimeoutError):
        sending.check_wait(11.0, SPENT)
