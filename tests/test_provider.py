from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import frozen

from conversations_hub import (
    Attachment,
    ConfigurationError,
    Ref,
    Secret,
    Twilio,
    UnsupportedError,
    Upload,
)
from conversations_hub.provider import Problem, all_of, between, json_object, secret_field
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Response
from support import Acme

ACME = Acme(token="canary-token")


def test_questions_are_answered_with_values():
    listing, call = ACME.conversations(page_size=5), ACME.conversation(Ref("acme", "1"))
    assert isinstance(listing, Listing)
    assert isinstance(call, Call)
    assert listing.request.target == "/api/things?size=5"
    assert (listing.question.provider, listing.question.name) == ("acme", "conversations")
    assert listing.question.arguments == {"page_size": 5}


async def test_a_recipe_on_its_own_says_to_use_a_hub():
    with pytest.raises(ConfigurationError, match=r"acme\.conversation: .*ConversationsHub"):
        await ACME.conversation(Ref("acme", "1"))
    with pytest.raises(ConfigurationError, match=r"hub\.iterate"):
        async for _ in ACME.conversations():
            pass


def test_capabilities_are_what_is_implemented():
    assert ACME.capabilities == {"conversations", "messages", "conversation"}
    with pytest.raises(UnsupportedError, match=r"acme\.participants"):
        ACME.participants(Ref("acme", "1"))


def test_a_page_is_no_larger_than_the_api_allows():
    assert ACME.page_size("conversations", None) == 100
    assert ACME.page_size("conversations", 7) == 7
    assert ACME.page_size("conversations", 7000) == 100
    with pytest.raises(ConfigurationError, match="a number from 1"):
        ACME.page_size("conversations", 0)


def test_a_ref_of_another_provider_is_refused():
    with pytest.raises(ConfigurationError, match="belongs to 'clio'"):
        ACME.conversation(Ref("clio", "1"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://acme.test",
        "acme.test",
        "",
        "http://",
        "https://u:p@acme.test",
        "https://acme.test/?a=1",
    ],
)
def test_a_base_url_that_cannot_work_is_refused(url):
    with pytest.raises(ConfigurationError, match="base_url"):
        Acme(token="t", base_url=url)


@pytest.mark.parametrize("url", ["https://acme.test/api", "https://acme.test/api/"])
def test_a_base_url_keeps_its_prefix(url):
    assert str(Acme(token="t", base_url=url).get("x").url) == "https://acme.test/api/x"


@pytest.mark.parametrize("name", ["", "a:b"])
def test_a_name_that_refs_cannot_carry_is_refused(name):
    with pytest.raises(ConfigurationError, match="name a provider"):
        Acme(token="t", name=name)


def test_settings_come_from_the_environment_and_missing_ones_are_named():
    found = Acme.from_env({"ACME_TOKEN": "t", "ACME_URL": "https://elsewhere.test"})
    assert (found.token, str(found.base_url)) == (Secret("t"), "https://elsewhere.test/")
    with pytest.raises(ConfigurationError, match=r"token \(ACME_TOKEN\)"):
        Acme.from_env({})
    with pytest.raises(ConfigurationError, match="no setting tocken"):
        Acme.from_settings({"tocken": "t"})


def test_filters_are_half_open_and_pass_what_has_no_time():
    day = [datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3)]
    keep = between(lambda at: at, day[0], day[2])
    assert [keep(at) for at in [*day, None]] == [True, True, False, True]
    assert between(lambda at: at, None, None) is None
    assert all_of(None, None) is None
    assert all_of(keep, lambda at: at == day[1])(day[0]) is False
    with pytest.raises(ConfigurationError, match="aware datetime"):
        between(lambda at: at, datetime(2026, 1, 1), None)  # noqa: DTZ001


def test_a_bound_provider_is_still_the_same():
    assert ACME.bound(object()) == ACME
    assert "canary-token" not in repr(ACME)


@pytest.mark.parametrize(
    "said",
    [
        "x" * 290 + "canary-token",
        "who is Bearer canary-token?",
        "who is canary-token?",
    ],
)
def test_no_secret_gets_into_an_error(said):
    class Telling(Acme):
        def problem(self, request, response):
            return Problem(message=said, code="canary-token")

    provider = Telling(token="canary-token")
    error = provider.error_for("x", provider.get("things"), Response(status=400))
    assert "canary" not in f"{error} {error.code}"


@pytest.mark.parametrize("half", [b"\\ud83d", b"\xf0\x9f"])
def test_half_an_emoji_in_a_refusal_costs_none_of_it(half):
    """An API that repeats what it was sent may cut it anywhere."""
    said = json_object(Response(status=400, body=b'{"code": 7, "message": "%s"}' % half))
    assert said["code"] == 7


def test_what_a_secret_is_sent_as_is_one_too():
    class Basic(Acme):
        def auth_headers(self):
            return {"Authorization": "Basic Y2FuYXJ5"}

    assert Basic(token="canary-token").redact("Basic Y2FuYXJ5 Y2FuYXJ5") == "*** ***"


@pytest.mark.parametrize("token", ["token\n", " token", "to\r\nken"])
def test_a_secret_that_cannot_be_sent_is_refused(token):
    with pytest.raises(ConfigurationError, match="token has blanks") as caught:
        Acme(token=token)
    assert "to" not in str(caught.value).replace("token has", "")


@pytest.mark.parametrize("size", ["5", 2.5, -1])
def test_a_page_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigurationError, match="page_size"):
        ACME.conversations(page_size=size)


def test_a_moment_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="not an aware datetime"):
        between(lambda at: at, "2026-01-01", None)


def test_a_secret_that_begins_with_another_is_taken_out_whole():
    @frozen(kw_only=True)
    class Two(Acme):
        other: str = secret_field()

    assert Two(token="abcdef", other="abcdef-rest").redact("abcdef-rest, abcdef") == "***, ***"


@pytest.mark.parametrize("text", [b"hi", 5, ["hi"], Ref("acme", "2")])
def test_what_is_no_text_is_refused(text):
    """Bytes and numbers would be sent as something else."""
    twilio = Twilio(account_sid="AC1", auth_token="t")
    where = Ref("twilio", "CH1")
    with pytest.raises(ConfigurationError, match=r"twilio\.send: text must be a string, not an? "):
        twilio.send(where, text)
    with pytest.raises(ConfigurationError, match=r"id must be a string, not an? "):
        twilio.delete_message(where, text)
    with pytest.raises(ConfigurationError, match="id must be a string, not None"):
        twilio.message(where, None)


@pytest.mark.parametrize("alone", [b"abc", Path("a.txt"), "a.txt", Upload(b"abc"), None, 7])
def test_one_file_is_not_a_list(alone):
    with pytest.raises(ConfigurationError, match="attachments must be a list"):
        Acme(token="canary-token").files(alone)


def test_files_are_made_ready():
    known = Attachment(id="1")
    one, two = Acme(token="canary-token").files([known, b"abc"])
    assert (one, two) == (known, Upload(b"abc"))


def test_what_was_asked_is_not_in_what_is_shown():
    """People's words are among it, and what may not be known."""
    asked = Acme(token="canary-token").conversation(Ref("acme", "canary-words"))
    assert "canary" not in repr(asked.question)
