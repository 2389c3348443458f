"""What we promise of every provider, whoever wrote it: each check takes the provider's class."""

import pickle
from contextlib import suppress

import attrs
import pytest

from conversations_hub import ConfigurationError, ConversationsHub, Ref, Secret, UnsupportedError
from conversations_hub.questions import SHARED
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Response

CANARY = "canary0secret"
# Arguments that are checked or have a better default than ours.
PLAIN = {"base_url", "region", "edge", "domain", "tokens"}


def built(cls):
    """Build a provider from its environment, with a value that we would notice in each secret.

    Where two ways to prove who asks exclude each other, the second is left out.
    """
    secrets = {f.alias for f in attrs.fields(cls) if not f.repr}
    wanted = {arg: names[0] for arg, names in cls.env.items() if arg not in PLAIN}
    for left_out in ((), ("token",)):
        environ = {
            name: CANARY if arg in secrets else "plain0value"
            for arg, name in wanted.items()
            if arg not in left_out
        }
        try:
            return cls.from_env(environ)
        except ConfigurationError:
            continue
    raise AssertionError(f"{cls.__name__} cannot be built from its environment")


def asked(provider):
    """Return every shared question, to be asked."""
    ref = Ref(provider.name, "1")
    return {
        "conversations": provider.conversations,
        "messages": lambda: provider.messages(ref),
        "participants": lambda: provider.participants(ref),
        "conversation": lambda: provider.conversation(ref),
        "message": lambda: provider.message(ref, "2"),
        "send": lambda: provider.send(ref, "hi"),
        "edit": lambda: provider.edit(ref, "2", text="hi"),
        "delete_message": lambda: provider.delete_message(ref, "2"),
        "create": lambda: provider.create(title="hi", participants=["contact/5"], text="hi"),
        "update": lambda: provider.update(ref, title="hi"),
        "archive": lambda: provider.archive(ref),
        "unarchive": lambda: provider.unarchive(ref),
        "close": lambda: provider.close(ref),
        "delete": lambda: provider.delete(ref),
        "add_participant": lambda: provider.add_participant(ref, "5"),
        "remove_participant": lambda: provider.remove_participant(ref, "5"),
        "mark_read": lambda: provider.mark_read(ref, participant="5"),
    }


def recipes(provider):
    """Return the recipes of what the provider answers, as far as it can be asked so plainly."""
    found = {}
    for name in SHARED:
        if name in provider.capabilities:
            with suppress(UnsupportedError):
                found[name] = asked(provider)[name]()
    return found


READS = {"conversations", "messages", "participants", "conversation", "message"}
LISTS = {"conversations", "messages", "participants"}


def check_building_needs_no_loop_and_hides_secrets(cls):
    provider = built(cls)
    hidden = [
        f for f in attrs.fields(cls) if not f.repr and getattr(provider, f.name) == Secret(CANARY)
    ]
    assert hidden, "no credential is declared as a secret"
    assert not any(f"{f.name}=" in repr(provider) for f in hidden)
    assert provider.auth_headers(), "nothing proves who asks"


def check_missing_credentials_are_named(cls):
    with pytest.raises(ConfigurationError):
        cls.from_env({})


def check_questions_are_answered_with_values(cls):
    provider = built(cls)
    for name, recipe in recipes(provider).items():
        assert isinstance(recipe, Listing if name in LISTS else Call)
        assert (recipe.question.provider, recipe.question.name) == (provider.name, name)
        assert name not in READS or not recipe.request.is_write


def check_what_is_written_can_be_read_back(cls):
    for name, recipe in recipes(built(cls)).items():
        if recipe.request.is_write:
            assert recipe.prepares or recipe.reconcile, f"{name} leaves its caller in the dark"


def check_every_question_is_asked_here(cls):
    assert set(asked(built(cls))) == set(SHARED)


def check_what_is_not_answered_is_unsupported(cls):
    provider = built(cls)
    for name in set(SHARED) - provider.capabilities:
        with pytest.raises(UnsupportedError, match=f"{provider.name}.{name}"):
            asked(provider)[name]()


def check_requests_stay_below_the_base_url_and_hold_no_secret(cls):
    provider = built(cls)
    proof = list(provider.auth_headers().values())
    for recipe in recipes(provider).values():
        request = recipe.request
        assert str(request.url).startswith(str(provider.base_url).rstrip("/") + "/")
        shown = repr(request) + repr(recipe) + str(request.headers)
        assert not any(value in shown for value in proof)
        assert pickle.loads(pickle.dumps(request)) == request


def check_an_id_stays_one_path_segment(cls):
    provider = built(cls)
    for hostile in ("a/b?c=d#e", "../x", "%2e%2e", "a b\n", "ümlaut"):
        recipe = provider.conversation(Ref(provider.name, hostile))
        plain = provider.conversation(Ref(provider.name, "1"))
        assert len(recipe.request.url.parts) == len(plain.request.url.parts)
        assert recipe.request.url.raw_query_string == plain.request.url.raw_query_string


def check_a_ref_of_another_provider_is_refused(cls):
    provider = built(cls)
    with pytest.raises(ConfigurationError, match="belongs to"):
        provider.conversation(Ref("somebody-else", "1"))
    with pytest.raises(ConfigurationError, match="belongs to"):
        provider.messages(Ref("somebody-else", "1"))


def check_a_bad_page_size_is_refused(cls):
    provider = built(cls)
    with pytest.raises(ConfigurationError, match="page_size"):
        provider.conversations(page_size=0)


def check_any_refusal_becomes_an_error_with_its_status(cls):
    provider = built(cls)
    request = provider.conversation(Ref(provider.name, "1")).request
    bodies = [b"", b"<html>", b"{}", b"[]", b'"text"', b'{"error":{}}', b'{"errors":[{}]}', b"\xff"]
    for status in (302, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503):
        for body in bodies:
            error = provider.error_for("x", request, Response(status=status, body=body))
            assert (error.status, error.provider, error.operation) == (status, provider.name, "x")
            assert CANARY not in str(error)


def check_the_hub_takes_two_accounts(cls):
    one, two = attrs.evolve(built(cls), name="one"), attrs.evolve(built(cls), name="two")
    hub = ConversationsHub(one, two)
    assert hub["one"] == one
    assert hub["two"].conversation(Ref("two", "1")).question.provider == "two"
    with pytest.raises(ConfigurationError, match="ask by name"):
        hub[cls]


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]
