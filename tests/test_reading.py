import json
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from yarl import URL

from conversations_hub import PagingError, TranslationError
from conversations_hub.paging import SinglePage
from conversations_hub.reading import ABSENT, Part, Record, Records, part
from conversations_hub.wire import Request, Response
from strategies import json_values
from support import CURSOR, Thing, conversation, ids, page

REQUEST = Request(url=URL("http://acme.test/api/things"))
READ = Records(
    payload=Thing, items="things", translate=partial(conversation, "acme"), paging=CURSOR
)
BARE = Records(
    payload=Thing,
    items=None,
    translate=partial(conversation, "acme"),
    paging=SinglePage(),
    blank=b"[]",
)
ONE = Record(payload=Thing, translate=partial(conversation, "acme"), item="thing")


def read(body, reader=READ, **headers):
    return reader(REQUEST, Response(status=200, body=body, headers=headers))


def test_a_page_becomes_models_and_the_next_request():
    got = read(page(["1", "2"], "c2", extra={"kept": "in raw"}))
    assert ids(got.items) == ["1", "2"]
    assert [dict(item.raw) for item in got.items] == [
        {"id": "1", "name": "n1"},
        {"id": "2", "name": "n2"},
    ]
    assert got.next.query["cursor"] == "c2"
    assert got.raw["extra"] == {"kept": "in raw"}
    assert got.broken == ()


@pytest.mark.parametrize(
    ("record", "path"),
    [
        pytest.param({"id": 7}, "things[1].id", id="a field of another type"),
        pytest.param({"name": "x"}, "things[1]", id="a field that must be there"),
        pytest.param("text", "things[1]", id="no object"),
        pytest.param(None, "things[1]", id="null"),
    ],
)
def test_one_broken_record_leaves_its_neighbours_whole(record, path):
    got = read(
        page([{"id": "1"}, {"id": "placeholder"}, {"id": "3"}], "c2").replace(
            b'{"id": "placeholder"}', json.dumps(record).encode()
        )
    )
    assert ids(got.items) == ["1", "3"]
    assert [dict(i.raw) for i in got.items] == [{"id": "1"}, {"id": "3"}]
    ((place, error),) = got.broken
    assert (place, error.path) == (1, path)
    assert path in str(error)
    assert got.next.query["cursor"] == "c2"


def test_what_a_translation_stumbles_over_is_a_broken_record_too():
    def stumble(payload, raw):
        if payload.id == "2":
            raise OverflowError("date value out of range")
        return conversation("acme", payload, raw)

    got = read(
        page(["1", "2", "3"]),
        Records(payload=Thing, items="things", translate=stumble, paging=CURSOR),
    )
    assert ids(got.items) == ["1", "3"]
    assert got.broken[0][1].path == "things[1]"
    assert isinstance(got.broken[0][1].__cause__, OverflowError)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Bad gateway</html>", "24 bytes of text/html"),
        (b"", "an empty body"),
        (b'{"things": [', "12 bytes"),
        (b"[]", "no list 'things'"),
        (b'{"stuff": [], "meta": {"more": false}}', "no list 'things'"),
        (b'{"things": null}', "no list 'things'"),
    ],
)
def test_an_answer_that_is_no_page_says_what_it_is(body, words):
    with pytest.raises(TranslationError, match=words) as caught:
        read(body, **{"content-type": "text/html"})
    assert "gateway" not in str(caught.value)


def test_a_renamed_paging_key_is_an_error_and_no_end():
    with pytest.raises(PagingError):
        read(page(["1"], "c2").replace(b'"more"', b'"mor"'))


def test_a_bare_list_and_what_an_empty_body_stands_for():
    assert ids(read(b'[{"id": "1"}]', BARE).items) == ["1"]
    assert read(b"", BARE).items == read(b"[]", BARE).items == ()
    with pytest.raises(TranslationError, match="not a list"):
        read(b"{}", BARE)


def test_items_are_put_in_order_where_the_api_promises_none():
    arranged = Records(
        payload=Thing,
        items="things",
        translate=partial(conversation, "acme"),
        paging=CURSOR,
        arrange=lambda items: sorted(items, key=lambda c: c.ref.id),
    )
    assert ids(read(page(["3", "1", "2"]), arranged).items) == ["1", "2", "3"]


def test_one_thing():
    got = ONE(Response(status=200, body=b'{"thing": {"id": "1", "more": 2}}'))
    assert got.ref.id == "1"
    assert got.raw == {"id": "1", "more": 2}


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"{}", "thing"), (b"[]", "thing"), (b'{"thing": {"id": 1}}', "thing.id"), (b"<p>", "$")],
)
def test_one_thing_that_cannot_be_read(body, path):
    with pytest.raises(TranslationError) as caught:
        ONE(Response(status=200, body=body))
    assert caught.value.path == path


class Deep(Struct, frozen=True):
    id: str
    inner: list[Thing] = []


@given(st.lists(json_values | st.fixed_dictionaries({"id": st.text()}), max_size=5))
def test_no_record_is_dropped_whatever_comes(records):
    """Each is delivered or named."""
    body = msgspec.json.encode({"things": records, "meta": {"more": False}})
    got = read(body)
    assert len(got.items) + len(got.broken) == len(records)


@pytest.mark.parametrize(
    "name", [rb'"\ud83d cut"', b'"\xff byte"', rb'"\ud83d" , "more": "\udc00"'], ids=ascii
)
def test_half_an_emoji_costs_no_page(name):
    body = (
        b'{"things": [{"id": "1"}, {"id": "2", "name": %b}, {"id": "3"}], "meta": {"more": false}}'
    )
    got = read(body % name)
    assert ids(got.items) == ["1", "2", "3"]
    assert got.items[1].title.startswith("\ufffd")
    assert got.items[1].raw["name"] == got.items[1].title
    assert got.broken == ()


def test_what_is_nested_too_deeply_says_so():
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(TranslationError, match="nested too deeply"):
        read(b'{"things": [{"id": "1", "x": %b}], "meta": {"more": false}}' % deep)


def test_a_moment_beyond_time_breaks_its_record_alone():
    def stumble(payload, raw):
        if payload.id == "2":
            datetime.fromtimestamp(10**17, UTC)
        return conversation("acme", payload, raw)

    reader = Records(payload=Thing, items="things", translate=stumble, paging=CURSOR)
    got = read(page(["1", "2", "3"]), reader)
    assert ids(got.items) == ["1", "3"]
    assert len(got.broken) == 1


class Letter(Struct, frozen=True):
    """A payload of which a part is read apart."""

    id: str
    sender: Part = ABSENT


def signed(payload, raw):
    sender = part(bytes(payload.sender), Thing | None, "sender")
    return conversation("acme", Thing(id=payload.id, name=sender.name if sender else None), raw)


LETTERS = Records(payload=Letter, items="things", translate=signed, paging=SinglePage())


def test_a_part_is_read_where_it_is_translated():
    got = read(
        b'{"things": [{"id": "1", "sender": {"id": "9", "name": "Ann"}}, {"id": "2"}, '
        b'{"id": "3", "sender": null}]}',
        LETTERS,
    )
    assert [item.title for item in got.items] == ["Ann", None, None]


@pytest.mark.parametrize(
    "other", [b"1", b"1" + b"0" * 30, b"1e999", rb'"\ud83d"'], ids=["plain", "long", "much", "half"]
)
def test_a_broken_part_breaks_its_record_and_says_where(other):
    """Whatever else is odd about its neighbours."""
    got = read(
        b'{"things": [{"id": "1", "x": %b, "sender": {"id": "9"}}, '
        b'{"id": "2", "sender": {"id": 9}}, {"id": "3", "sender": {"id": "9", "name": "Ann"}}]}'
        % other,
        LETTERS,
    )
    assert ids(got.items) == ["1", "3"]
    assert got.items[1].title == "Ann"
    [(place, error)] = got.broken
    assert (place, error.path) == (1, "things[1].sender.id")


@pytest.mark.parametrize(
    ("record", "path"),
    [
        (b'{"id": 1e999, "sender": {"id": "9"}}', "things[0].id"),
        (b'{"id": "1", "sender": {"id": 1e999}}', "things[0].sender.id"),
    ],
)
def test_a_number_beyond_all_bounds_does_not_become_nothing(record, path):
    got = read(b'{"things": [%b]}' % record, LETTERS)
    assert got.items == ()
    assert got.broken[0][1].path == path


@pytest.mark.parametrize("name", [rb'"\ud83d cut"', b'"\xff byte"'], ids=ascii)
def test_half_an_emoji_in_a_part_costs_no_record(name):
    got = read(b'{"things": [{"id": "1", "sender": {"id": "9", "name": %b}}]}' % name, LETTERS)
    assert got.broken == ()
    assert got.items[0].title.startswith("\ufffd")


@pytest.mark.parametrize(
    "odd", [b'"\x01"', rb'"\q"', b"1.2.3", b"01", b"[" * 100_000 + b"]" * 100_000], ids=range(5)
)
@pytest.mark.parametrize("where", [b'"id": %b', b'"id": "1", "x": %b', b'"id": "1", "sender": %b'])
def test_what_is_no_json_is_an_error_of_ours(odd, where):
    """Wherever it stands, and whether the page or only the record is lost."""
    body = b'{"things": [{"id": "0"}, {%b}]}' % (where % odd)
    try:
        got = read(body, LETTERS)
    except TranslationError as error:
        assert error.path
    else:
        assert len(got.items) + len(got.broken) == 2
