from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from conversations_hub import ConfigurationError, Upload
from conversations_hub.wire import Request, Response, instant, origin_of, path_segment, query_text
from strategies import words

LINK = "http://h/p?fields=id%2Cm%7Bx%7D&PageToken=PT%2Fa%28b%29+c"


def test_a_query_keeps_the_very_bytes_it_was_given():
    request = Request(url=URL(LINK, encoded=True))
    assert request.with_query(extra="1").target == "/p?" + LINK.partition("?")[2] + "&extra=1"


def test_parameters_are_replaced_and_taken_out():
    request = Request(url=URL("http://h/p?a=1&b=2&a=3", encoded=True))
    assert request.with_query(a="9").target == "/p?b=2&a=9"
    assert request.with_query(a=None).target == "/p?b=2"
    assert request.with_query(a=None, b=None).target == "/p"
    assert request.with_params({"page[after]": "x y"}).query["page[after]"] == "x y"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"a": None}, ""),
        ({"a": True, "b": False}, "a=true&b=false"),
        ({"ids[]": ["1", "2"]}, "ids%5B%5D=1&ids%5B%5D=2"),
        ({"Address": "+1 5"}, "Address=%2B1%205"),
    ],
)
def test_query_text(params, text):
    assert query_text(params) == text


@given(words.filter(lambda text: text not in {"", ".", ".."}))
def test_an_id_stays_one_path_segment(text):
    url = URL(f"http://h/a/{path_segment(text)}/b", encoded=True)
    assert url.parts == ("/", "a", text, "b")
    assert url.raw_path.count("/") == 3


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_ids_that_climb_are_refused(text):
    with pytest.raises(ConfigurationError):
        path_segment(text)


def test_instants_are_utc_with_milliseconds():
    zone = timezone(timedelta(hours=-5))
    assert instant(datetime(2019, 10, 1, 10, 12, 43, 745999, zone)) == "2019-10-01T15:12:43.745Z"
    with pytest.raises(ConfigurationError, match="time zone"):
        instant(datetime(2019, 10, 1))  # noqa: DTZ001


@given(st.dictionaries(words, st.integers()))
def test_steps_differ_by_place_or_by_note(note):
    request = Request(url=URL("http://h/p"))
    assert (request.with_note(**note).key == request.key) is (not note)


def test_headers_are_found_whatever_their_case():
    response = Response(status=200, headers={"RETRY-after": "7"})
    assert response.header("Retry-After") == "7"
    assert response.header("X-Other") is None


def test_words_and_bodies_stay_out_of_reprs():
    assert "words" not in repr(Response(status=200, body=b"words"))
    assert "words" not in repr(Request(url=URL("http://h/"), body=b"words"))


@pytest.mark.parametrize("thing", ["a.txt", 7, None])
def test_what_is_no_file_is_refused(thing):
    """A path that is a plain text would be sent as the file's own words."""
    with pytest.raises(ConfigurationError, match="is not a file; give a Path"):
        Upload(thing, name="a.txt")


@pytest.mark.parametrize("thing", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_of_any_kind_are_a_file(thing):
    assert (Upload(thing).content, Upload(thing).size) == (b"abc", 3)


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ({"name": "\ud800.txt"}, "surrogate"),
        ({"media_type": "a/b\r\nX-Evil: 1"}, "media type"),
        ({"media_type": "a/é"}, "media type"),
    ],
)
def test_what_no_header_can_carry_is_refused(told, hint):
    with pytest.raises(ConfigurationError, match=hint):
        Upload(b"abc", **told)


def test_a_place_tells_no_secret():
    request = Request(url=URL("http://user:canary@h/p?q=canary#canary"))
    assert request.place == "http://h/p"


def test_a_sum_is_no_step_of_a_walk():
    """Sums grow in circles, too; what else a rule remembers is a step."""
    request = Request(url=URL("https://a.test/list?token=T"))
    assert request.with_note(seen_count=2).key == request.with_note(seen_count=4).key
    assert request.with_note(seen=["2"]).key != request.with_note(seen=["2", "4"]).key


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("https://api.test/a?b", True),
        ("https://API.Test/", True),
        ("https://api.test:443/", True),
        ("https://user@api.test/", True),
        ("http://api.test/", False),
        ("http://api.test:443/", False),
        ("https://api.test:444/", False),
        ("https://api.test.evil.test/", False),
        ("https://api.test@evil.test/", False),
    ],
)
def test_one_origin_may_be_written_in_several_ways(text, is_same):
    url = URL(text, encoded=True)
    assert (origin_of(url) == URL("https://api.test")) is is_same
