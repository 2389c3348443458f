import re

import pytest
from yarl import URL

from conversations_hub import PagingError
from conversations_hub.paging import CursorPaging, PageTokenPaging, SinglePage
from conversations_hub.reading import Answer
from conversations_hub.wire import Request

FIRST = Request(url=URL("https://api.test/v1/things?size=2&order=id%28asc%29", encoded=True))

CURSOR = CursorPaging(
    param="page[after]",
    cursor=("meta", "after"),
    more=("meta", "more"),
    edge=lambda records: f"edge-{records[-1]}",
)
POINTER = CursorPaging(param="pointer", cursor=("pointer",), more=("more",), silent_end=True)
LINK = PageTokenPaging(
    link=("meta", "next"),
    token="PageToken",
    whole_query=True,
    hosts=re.compile(r"api(\.[a-z]+)?\.vendor\.test"),
)
TOKEN = PageTokenPaging(
    link=("meta", "paging", "next"),
    token="page_token",
    silent_end=True,
    total=("meta", "records"),
    size="size",
)


def answer(records=("a", "b"), **envelope):
    return Answer(envelope=envelope, records=list(records), count=len(records))


@pytest.mark.parametrize(
    ("records", "envelope", "cursor"),
    [
        pytest.param(["a"], {"meta": {"more": True, "after": "c2"}}, "c2", id="more"),
        pytest.param([], {"meta": {"more": True, "after": "c2"}}, "c2", id="an empty page"),
        pytest.param(["a"], {"meta": {"more": False}}, None, id="last page"),
        pytest.param(["a"], {"meta": {"more": False, "after": "c"}}, None, id="a cursor to spare"),
        pytest.param(["a"], {"meta": {"more": "true", "after": "c"}}, "c", id="a word for true"),
        pytest.param(["a", "b"], {}, "edge-b", id="no word about paging"),
        pytest.param([], {}, None, id="no word about paging and no records"),
    ],
)
def test_cursor(records, envelope, cursor):
    request = CURSOR.after(FIRST, answer(records, **envelope))
    assert (request and request.query["page[after]"]) == cursor
    assert request is None or request.query["order"] == "id(asc)"


@pytest.mark.parametrize(
    "meta",
    [{"more": True}, {"more": True, "after": ""}, {"has_more": True, "after": "c"}, {"more": 7}],
)
def test_a_list_that_cannot_go_on_says_so(meta):
    with pytest.raises(PagingError):
        CURSOR.after(FIRST, answer(meta=meta))


@pytest.mark.parametrize(
    ("envelope", "pointer"),
    [
        pytest.param({"pointer": "p2", "more": True}, "p2", id="more"),
        pytest.param({"pointer": "p2", "more": False}, None, id="a pointer to spare"),
        pytest.param({"pointer": "p2"}, "p2", id="a pointer alone"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_pointer(envelope, pointer):
    request = POINTER.after(FIRST, answer(**envelope))
    assert (request and request.query["pointer"]) == pointer


def test_a_link_gives_its_query_byte_for_byte_and_not_its_host():
    link = "https://api.eu.vendor.test/v1/things?size=2&PageToken=PT%2Fx%28y%29"
    request = LINK.after(FIRST, answer(meta={"next": link}))
    assert str(request.url) == "https://api.test/v1/things?size=2&PageToken=PT%2Fx%28y%29"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/v1/things?PageToken=x",
        "http://api.test/v1/things?PageToken=x",
        "https://api.test:444/v1/things?PageToken=x",
        "https://user@api.test/v1/things?PageToken=x",
        "https://api.test/v1/secrets?PageToken=x",
        "https://api.vendor.test.evil.test/v1/things?PageToken=x",
        "http://api.vendor.test/v1/things?PageToken=x",
        "https://api.vendor.test:8443/v1/things?PageToken=x",
        "//evil.test/v1/things?PageToken=x",
        "things?PageToken=x",
        "https://[::1/v1/things",
        "https://api.test/v1/things?PageToken=x\r\nX-Evil: 1",
        "https://api.test/v1/things?PageToken=x y",
        7,
    ],
)
def test_a_link_elsewhere_is_an_error_and_no_request(link):
    with pytest.raises(PagingError):
        LINK.after(FIRST, answer(meta={"next": link}))


def test_behind_a_gateway_the_provider_does_not_know_our_prefix():
    ours = Request(url=URL("https://gateway.test/twilio/v1/things"))
    request = LINK.after(
        ours, answer(meta={"next": "https://api.vendor.test/v1/things?PageToken=x"})
    )
    assert str(request.url) == "https://gateway.test/twilio/v1/things?PageToken=x"


def test_a_link_that_is_not_there_is_no_end_where_the_api_always_says():
    assert LINK.after(FIRST, answer(meta={"next": None})) is None
    with pytest.raises(PagingError, match=r"meta\.next"):
        LINK.after(FIRST, answer(meta={"nextPage": "https://api.test/v1/things?PageToken=x"}))
    with pytest.raises(PagingError):
        LINK.after(FIRST, answer())


def test_a_token_goes_into_our_own_query():
    link = "https://api.test/v1/things?size=200&order=id&page_token=O%2Fp%3D"
    request = TOKEN.after(FIRST, answer(meta={"paging": {"next": link}}))
    assert request.target == "/v1/things?size=2&order=id%28asc%29&page_token=O%2Fp%3D"
    onward = TOKEN.after(request, answer(meta={"paging": {"next": link + "2"}}))
    assert onward.target.endswith("page_token=O%2Fp%3D2")
    assert onward.note == {"seen_count": 4}


def test_a_link_without_its_token_is_an_error():
    """It would lead to the first page again."""
    with pytest.raises(PagingError, match="PageToken"):
        LINK.after(FIRST, answer(meta={"next": "https://api.test/v1/things?size=2&Page=0"}))
    with pytest.raises(PagingError, match="page_token"):
        TOKEN.after(FIRST, answer(meta={"paging": {"next": "https://api.test/v1/things?a=1"}}))


@pytest.mark.parametrize("name", ["seen_count", "expected"])
def test_a_damaged_memory_is_a_paging_error(name):
    with pytest.raises(PagingError, match="damaged"):
        TOKEN.after(FIRST.with_note(**{name: "x"}), answer(meta={"paging": {}, "records": 2}))


@pytest.mark.parametrize(
    ("records", "meta", "seen"),
    [
        pytest.param("ab", {"paging": {}, "records": 2}, 0, id="all of them"),
        pytest.param("ab", {"paging": {}, "records": 9}, 7, id="the rest of them"),
        pytest.param("a", {"paging": {}, "records": 9}, 0, id="a short page, whatever the total"),
        pytest.param("a", {}, 0, id="a short page and no word"),
        pytest.param("ab", {"paging": {}}, 0, id="no total"),
        pytest.param("ab", {"paging": {"next": None}, "records": 2}, 0, id="null for the end"),
    ],
)
def test_an_end_that_can_be_believed(records, meta, seen):
    assert TOKEN.after(FIRST.with_note(seen_count=seen), answer(records, meta=meta)) is None


@pytest.mark.parametrize(
    "meta", [{"paging": {"nxt": "x"}, "records": 9}, {"pages": {}}, {"records": 2}]
)
def test_a_full_page_whose_end_is_in_doubt_is_an_error(meta):
    with pytest.raises(PagingError):
        TOKEN.after(FIRST, answer(meta=meta))


def test_a_single_page_ends():
    assert SinglePage().after(FIRST, answer()) is None
