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


def test_a_number_that_python_refuses_to_read_costs_no_neighbour_its_raw():
    source = Source(b'[{"n": %s}, {"n": 1}]' % (b"9" * 5000))
    assert Raw(source, 1)["n"] == 1
    assert Raw(source, 0)["n"] == float("inf")


def test_a_record_alone_is_the_same_and_holds_on_to_nothing_else():
    source = Source(PAGE, ("items",))
    raws = [Raw(source, 0), Raw(source, 1)]
    alone = [raw.alone() for raw in raws]
    assert alone == raws
    assert alone[1]._source._body == b'{"id": 2}'
    assert raws[0].alone().alone() == raws[0]
    assert Raw(Source(PAGE)).alone() == Raw(Source(PAGE))
    assert Raw.of({"a": 1}).alone() == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'[{"n": -%s}]' % (b"9" * 5000), id="a number that Python refuses to read"),
        pytest.param(b'[{"n": 1%s}]' % (b"0" * 30), id="a number beyond 64 bits"),
        pytest.param(b'[{"n": 1e999}]', id="a number beyond floats"),
        pytest.param(b'[{"n": "\\ud83d"}]', id="half an emoji"),
        pytest.param(b'[{"n": "\xff"}]', id="no UTF-8"),
    ],
)
def test_what_can_only_be_read_with_patience_travels_as_well(body):
    raw = Raw(Source(body), 0)
    assert raw.alone() == raw
    assert pickle.loads(pickle.dumps(raw)) == raw
    assert pickle.loads(pickle.dumps(Raw.of(dict(raw)))) == raw


def test_a_raw_of_a_payload_is_its_own():
    payload = {"a": [1]}
    raw = Raw.of(payload)
    payload["a"].append(2)
    assert raw == {"a": [1]}
