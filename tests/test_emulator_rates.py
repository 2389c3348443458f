"""Rates as a server judges them, with times that are told."""

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.emulator.rates import Gate, busiest
from conversations_hub.emulator.server import Server
from conversations_hub.providers.twilio.emulator import TwilioApi

TIMES = st.lists(st.integers(0, 50), max_size=40)


@pytest.mark.parametrize(
    ("times", "most"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([5.0], 1, id="one"),
        pytest.param([0.0, 0.9, 1.8], 2, id="sliding"),
        pytest.param([0.0, 1.0], 1, id="a whole window apart"),
        pytest.param([3.0, 0.1, 3.2, 0.2, 3.1], 3, id="in any order"),
        pytest.param([1.0, 1.0, 1.0], 3, id="at once"),
        pytest.param([0.9, 0.95, 1.05, 1.1], 4, id="over the full second"),
    ],
)
def test_the_fullest_window_is_found(times, most):
    assert busiest(times, 1.0) == most


@given(TIMES, st.integers(1, 10))
def test_it_is_the_fullest_of_all_that_end_with_a_request(times, window):
    each = (sum(end - window < at <= end for at in times) for end in times)
    assert busiest(times, window) == max(each, default=0)


@given(TIMES, st.integers(1, 4), st.integers(1, 10))
def test_a_gate_grants_the_rate_and_no_more(times, limit, window):
    """What is refused does not count, and would have been too much."""
    times, granted = sorted(times), []
    gate = Gate(clock=lambda: now)
    for now in times:
        if gate.take("key", limit, window):
            granted.append(now)
        else:
            assert busiest([*granted, now], window) > limit
    assert busiest(granted, window) <= limit


def test_keys_have_windows_of_their_own():
    gate = Gate(clock=lambda: 0.0)
    assert [gate.take(key, 1, 1.0) for key in ("a", "b", "a", "b")] == [True, True, False, False]


async def test_a_server_tells_its_busiest_moment():
    server = Server(TwilioApi(scale=0.01))
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "POST", "GET"):
                async with session.request(method, f"{server.base_url}/v1/Conversations"):
                    pass
    finally:
        await server.stop()
    times = [one.at for one in server.requests]
    assert times == sorted(times)
    assert server.busiest(3600) == 3
    assert server.busiest(3600, lambda one: one.method == "POST") == 1
    assert server.busiest(1e-9) == 1
