import pickle

import pytest

from conversations_hub.raw import Raw, Source

PAGE = b'{"items": [{"id": 1, "deep": {"x": [1, 2]}}, {"id": 2}], "meta": {}}'


def test_a_record_is_found_by_its_place_on_the_page():
    source = Source(PAGE, ("items",))
    assert Raw(source, 0) == {"id": 1, "deep": {"x": [1, 2]}}
    assert Raw(source, 1)["id"] == 2
    assert Raw(Source(PAGE))["meta"] == {}


def test_neighbours_decode_their_page_once():
    source = Source(PAGE, ("items",))
    assert Raw(source, 0)["deep"] is Raw(source, 0)["deep"]


def test_a_pickled_record_leaves_its_neighbours_behind():
    data = pickle.dumps(Raw(Source(PAGE, ("items",)), 1))
    assert b"deep" not in data
    assert pickle.loads(data) == {"id": 2}


def test_raw_is_read_only_and_silent():
    raw = Raw.of({"body": "words"})
    with pytest.raises(TypeError):
        raw["body"] = "others"
    assert repr(raw) == "Raw(...)"


def test_numbers_that_json_does_not_know_are_still_there():
    raw = Raw(Source(b'{"id": "1", "much": 1e999, "half": "\\ud83d"}'))
    assert raw["much"] == float("inf")
    assert raw["half"] == "\ufffd"
