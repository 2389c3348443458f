import pytest

from conversations_hub import ConfigurationError
from conversations_hub.observing import CallBegan, masked, observers_of


@pytest.mark.parametrize(
    ("given", "count"),
    [
        pytest.param(None, 0, id="nobody"),
        pytest.param(print, 1, id="one"),
        pytest.param([print, repr], 2, id="two"),
        pytest.param((), 0, id="none of none"),
    ],
)
def test_there_may_be_any_number_of_observers(given, count):
    assert len(observers_of(given)) == count


async def waits(event):
    raise AssertionError


@pytest.mark.parametrize("given", [3, "print", [print, None], waits, [waits]])
def test_what_cannot_be_told_is_no_observer(given):
    with pytest.raises(ConfigurationError, match="an observer must be a plain function"):
        observers_of(given)


class WaitsWhenCalled:
    async def __call__(self, event):
        raise AssertionError


def test_an_object_that_would_have_to_be_awaited_is_none_either():
    with pytest.raises(ConfigurationError, match="that is async"):
        observers_of(WaitsWhenCalled())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "https://h/v1/Users/ann%40example.com/Conversations",
            "https://h/v1/Users/***/Conversations",
        ),
        ("https://h/v1/Users/ann@example.com", "https://h/v1/Users/***"),
        ("https://h/a/%2B4915112345678/b", "https://h/a/***/b"),
        ("https://h/a/whatsapp%3a%2b4915112345678", "https://h/a/***"),
        ("https://h/a/+4915112345678", "https://h/a/***"),
        ("https://h/v1/Conversations/CH12/Messages", "https://h/v1/Conversations/CH12/Messages"),
        ("https://h/a/salt%2Bpepper", "https://h/a/salt%2Bpepper"),
        ("https://h/a/ann%2540x.de", "https://h/a/***"),
        ("https://h/a/%252B4915112345678/b", "https://h/a/***/b"),
        ("https://h/v2/apps/a1/users/15551234567", "https://h/v2/apps/a1/users/***"),
        ("https://h/v1/Users/15551234567/Conversations", "https://h/v1/Users/***/Conversations"),
        ("https://h/a/00491511234567", "https://h/a/***"),
        ("https://h/a/01511234567/b", "https://h/a/***/b"),
        ("https://h/a/tel%3A15551234567", "https://h/a/***"),
        ("https://h/a/%28555%29123-4567/b", "https://h/a/***/b"),
        ("https://h/a/(555)%20123.4567", "https://h/a/***"),
        ("https://h/a/555%252D123%252D4567", "https://h/a/***"),
        # Ids, hosts and versions.
        ("https://h/conversations/1234567890.json", "https://h/conversations/1234567890.json"),
        ("https://h/conversations/1234567890", "https://h/conversations/1234567890"),
        ("https://192.168.100.100/v4.0.14/8801", "https://192.168.100.100/v4.0.14/8801"),
        ("https://192.168.100.100:8443/v1", "https://192.168.100.100:8443/v1"),
        (
            "https://h/users/6601f10400000000000000e1/a-1234567",
            "https://h/users/6601f10400000000000000e1/a-1234567",
        ),
        (
            "https://h/85673b2e-3156-46a4-a022-67ee3a593988",
            "https://h/85673b2e-3156-46a4-a022-67ee3a593988",
        ),
    ],
)
def test_nobodys_address_is_in_an_address(url, told):
    assert masked(url) == told


def test_events_are_values():
    one = CallBegan(provider="acme", operation="send", call=1)
    assert one == CallBegan(provider="acme", operation="send", call=1)
    assert len({one, one}) == 1
    with pytest.raises(AttributeError):
        one.call = 2
