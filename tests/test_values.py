"""Small values are declared once, and read with the place of what cannot be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import frozen

from conversations_hub import Ref, TranslationError
from conversations_hub.raw import Raw
from conversations_hub.values import Thing, Words, camel, key_field, plain, raw_field, value, values
from conversations_hub.wire import Request, Response

WORDS = Words(key=camel)


@frozen(kw_only=True)
class Part:
    inner_name: str


@frozen(kw_only=True)
class Label:
    label_id: str
    seen_at: datetime | None = None
    parts: tuple[Part, ...] = ()
    part: Part | None = None
    count: int | float | None = None
    metadata: Mapping[str, Any] | None = None
    from_: str | None = None
    dotted: str | None = key_field("a.b", default=None)
    raw: Raw | None = raw_field()


def read(body, item=None):
    return value(Label, WORDS, item)(Response(status=200, body=body))


def test_everything_is_read():
    label = read(
        b'{"labelId": "7", "seenAt": "2026-01-02T03:04:05.678+01:00",'
        b'"parts": [{"innerName": "x"}], "part": {"innerName": "y"}, "count": 1.5,'
        b'"metadata": {"aB": [1]}, "from": "me",'
        b'"a.b": "z", "new": true}'
    )
    assert label == Label(
        label_id="7",
        seen_at=datetime(2026, 1, 2, 2, 4, 5, 678000, tzinfo=UTC),
        parts=(Part(inner_name="x"),),
        part=Part(inner_name="y"),
        count=1.5,
        metadata={"aB": [1]},
        from_="me",
        dotted="z",
    )
    assert label.raw["new"] is True


def test_null_is_what_is_not_there_and_an_id_may_be_a_number():
    assert read(b'{"labelId": 7, "parts": null, "count": null}') == Label(label_id="7")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{}", "labelId"),
        (b"[]", "$"),
        (b'{"labelId": {}}', "labelId"),
        (b'{"labelId": true}', "labelId"),
        (b'{"labelId": "1", "seenAt": "soon"}', "seenAt"),
        (b'{"labelId": "1", "seenAt": "2026-01-02T03:04:05"}', "seenAt"),
        (b'{"labelId": "1", "parts": {}}', "parts"),
        (b'{"labelId": "1", "parts": [{"innerName": "x"}, {}]}', "parts[1].innerName"),
        (b'{"labelId": "1", "part": []}', "part"),
        (b'{"labelId": "1", "count": "2"}', "count"),
    ],
)
def test_what_cannot_be_read_is_named(body, path):
    with pytest.raises(TranslationError) as caught:
        read(body)
    assert caught.value.path == path


def test_the_name_it_stands_under_is_part_of_the_place():
    assert read(b'{"label": {"labelId": "1"}}', "label").label_id == "1"
    with pytest.raises(TranslationError) as caught:
        read(b'{"label": {}}', "label")
    assert caught.value.path == "label.labelId"


@pytest.mark.parametrize("items", [None, "labels"])
def test_one_broken_value_does_not_take_its_neighbours_along(items):
    body = b'[{"labelId": "1"}, {"labelId": {}}, {"labelId": "3"}]'
    body = body if items is None else b'{"labels": ' + body + b"}"
    page = values(Label, WORDS, items)(
        Request.of("http://a.test/"), Response(status=200, body=body)
    )
    assert [label.label_id for label in page.items] == ["1", "3"]
    ((place, error),) = page.broken
    assert (place, error.path) == (1, f"{items or ''}[1].labelId")
    assert page.next is None


@pytest.mark.parametrize(
    ("spell", "name", "spelt"),
    [
        (plain, "from_", "from"),
        (plain, "a_b", "a_b"),
        (camel, "a_bc_d", "aBcD"),
        (camel, "id", "id"),
    ],
)
def test_names_are_spelt_the_providers_way(spell, name, spelt):
    assert spell(name) == spelt


@frozen(kw_only=True)
class Key(Thing):
    id: str


def test_a_thing_of_a_provider_has_its_ref():
    """A field of the provider's that is called like one of ours does not come in between."""
    answer = Response(status=200, body=b'{"id": 7, "ref": {"new": 1}, "raw": 2}')
    key = value(Key, WORDS, provider="acme")(answer)
    assert (key.ref, key.raw["raw"]) == (Ref("acme", "7"), 2)
    assert value(Key, WORDS)(answer).ref is None
    assert value(Key, WORDS)(answer) == key
