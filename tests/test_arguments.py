"""Wrong arguments are named at the call, for every operation of every provider."""

import inspect
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import ConfigurationError, ConversationState, HubError, Ref
from conversations_hub.arguments import check, kinds
from conversations_hub.providers import PROVIDERS, load

SETTINGS = {
    "twilio": {"account_sid": "AC1", "auth_token": "t"},
    "sunshine": {"app_id": "a", "key_id": "k", "secret": "s"},
    "clio": {"token": "t"},
    "circuit": {"token": "t", "me": "1"},
}
REF = Ref("twilio", "CH1")


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (str | None, None),
        (str, "x"),
        (bool | None, False),
        (int | None, 5),
        (Ref | str, REF),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (ConversationState | None, ConversationState.OPEN),
        (Mapping[str, Any], {"a": object()}),
        (Iterable[str], {"a", "b"}),
        (Iterable[str], "one"),
        (Iterable[Ref | str], iter([5])),
        (Iterable[Path | bytes], 5 * [b""]),
        (Any, object()),
    ],
)
def test_what_fits(hint, given):
    check("it", given, hint)


@pytest.mark.parametrize(
    ("hint", "given", "told"),
    [
        (str | None, 5, "it must be a string, not an int"),
        (str, None, "it must be a string, not None"),
        (str, REF, "it must be a string, not a Ref; of a ref, give its id"),
        (Ref, "twilio:CH1", "it must be a Ref, not a str; Ref.parse reads its text"),
        (Ref | str, ["x"], "it must be a Ref or a string, not a list"),
        (bool | None, "yes", "it must be True or False, not a str"),
        (int, True, "it must be a number, not a bool"),
        (
            datetime | None,
            datetime(2026, 1, 1),  # noqa: DTZ001
            r"it must be an aware datetime, such as datetime.now\(UTC\), not a datetime",
        ),
        (Mapping[str, Any] | None, ["x"], "it must be a mapping, not a list"),
        (Iterable[Mapping[str, Any]], "abc", "it must be a list, not a str"),
        (Iterable[Ref | str], REF, "it must be a list, not a Ref; put it into one"),
        (Iterable[str], [5], "it must be a list, each a string, and an int is in it"),
        (Iterable[str] | None, {"a": 1}, "it must be a list, not a dict"),
        (ConversationState, 5, "it must be a ConversationState, not an int"),
    ],
)
def test_what_does_not(hint, given, told):
    with pytest.raises(ConfigurationError, match=f"^{told}$"):
        check("it", given, hint)


BAD = [
    None, "", 42, -1, True, b"x", "plain", "\ud800", "a\x00b", "../x", 1.5, object(), [], (),
    ["a"], [None], [42], [["x"]], {"a": 1}, {1: 2}, {"a": object()}, Ref("other", "1"), set(),
    Ref("no", ""), datetime(2026, 1, 1),  # noqa: DTZ001
]  # fmt: skip


def usual(provider, name, hint):
    """Return what an argument that must be there may be."""
    if name in {"conversation", "ref"}:
        return Ref(provider, "CH1")
    fitting = ["x", 1, True, Ref(provider, "1"), {"a": "b"}, ["x"], [{"a": "b"}], b"x"]
    for thing in fitting:
        try:
            check(name, thing, hint)
        except ConfigurationError:
            continue
        return thing
    raise AssertionError(hint)


@pytest.mark.parametrize("name", PROVIDERS)
def test_nothing_but_our_errors(name):
    provider = load(name).from_settings(SETTINGS[name])
    for question, method in inspect.getmembers(type(provider)):
        if not getattr(method, "is_operation", False):
            continue
        types = kinds(method)
        needed = {
            key: usual(name, key, types[key])
            for key, parameter in list(inspect.signature(method).parameters.items())[1:]
            if parameter.default is parameter.empty
        }
        for key in types:
            for wrong in BAD:
                try:
                    getattr(provider, question)(**{**needed, key: wrong})
                except HubError as error:
                    assert (error.provider, error.operation) == (name, question)


@pytest.mark.parametrize(
    ("name", "setting", "wrong"),
    [
        ("twilio", "account_sid", 7),
        ("twilio", "auth_token", b"t"),
        ("twilio", "name", 7),
        ("twilio", "base_url", None),
        ("sunshine", "app_id", None),
        ("sunshine", "users", b"ann"),
        ("sunshine", "users", [7]),
        ("clio", "token", 7),
        ("clio", "region", []),
        ("circuit", "me", 42),
        ("circuit", "domain", None),
        ("circuit", "domain", ":"),
    ],
)
def test_settings_of_another_type_are_named(name, setting, wrong):
    with pytest.raises(ConfigurationError, match=rf"\b{setting}\b|name a provider"):
        load(name).from_settings(SETTINGS[name] | {setting: wrong})
