"""Hypothesis: what may become of an answer on its way, as values and as bytes."""

import copy
import json

from hypothesis import strategies as st

CANARY = "canary words of a customer"
DEEP = json.loads("[" * 150 + "]" * 150)
GONE = object()
STRANGE = [
    GONE, None, True, False, 0, 7, -1, 2**31, 2**63, 2**64, 10**400, 1e300, 0.5, "", " ", "0", "-1",
    CANARY, CANARY * 2000, "\u0000", "\ud800", "\r\nX-Evil: 1", "..", "a/b", "2026-02-30T25:61:61Z",
    "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59", "1e999", "NaN", "{", "[]",
    [], [None], [[]], [CANARY], [7], {}, {"a": 1}, {"": {}}, {"id": None}, [{}], [{"id": CANARY}],
    DEEP, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000, "https://evil.test/?a=b",
    "http://[::1", "//", "null", '{"a": NaN}', '{"a": [1, ',
]  # fmt: skip


def places(value, path=()):
    """Return the paths of all there is in a value."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:3]):
            found += places(inner, (*path, index))
    return found


def changed(value, path, to):
    """Return a value with something else, or nothing, at one place."""
    if not path:
        return None if to is GONE else to
    value = copy.deepcopy(value)
    parent = value
    for step in path[:-1]:
        parent = parent[step]
    if to is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = to
    return value


@st.composite
def mutated(draw, value):
    """Change one to three places: something else there, in a list, twice, or by another name."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        here = value
        for step in path:
            here = here[step]
        kind = draw(st.integers(0, 9))
        if kind == 0:
            value = changed(value, path, [here])
        elif kind == 1:
            value = changed(value, path, {"value": here})
        elif kind == 2 and isinstance(here, list):
            value = changed(value, path, here * 2)
        elif kind == 3 and isinstance(here, dict):
            value = changed(value, path, here | {"brandNew": {"deep": [CANARY]}})
        elif kind == 4 and isinstance(here, dict) and here:
            key = draw(st.sampled_from(sorted(here)))
            value = changed(value, path, {k + "x" * (k == key): v for k, v in here.items()})
        elif kind == 5:
            value = changed(value, path, json.dumps(here))
        else:
            value = changed(value, path, draw(st.sampled_from(STRANGE)))
    return value


@st.composite
def garbled(draw, body):
    """Cut bytes off, flip bits, put bytes in or out, or speak in another encoding."""
    kind = draw(st.integers(0, 5))
    place = draw(st.integers(0, max(0, len(body) - 1)))
    if kind == 0:
        return body[:place]
    if kind == 1 and body:
        flipped = bytearray(body)
        for _ in range(draw(st.integers(1, 4))):
            flipped[draw(st.integers(0, len(body) - 1))] ^= 1 << draw(st.integers(0, 7))
        return bytes(flipped)
    if kind == 2:
        return body[:place] + draw(st.binary(min_size=1, max_size=8)) + body[place:]
    if kind == 3:
        return body[:place] + body[place + draw(st.integers(1, 40)) :]
    if kind == 4:
        encoding = draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32", "latin-1", "cp1252"]))
        return body.decode("utf-8", "replace").encode(encoding, "replace")
    return draw(
        st.sampled_from([b"", b" ", b"null", b"[]", b"{}", b"<html>", body * 2, body[::-1]])
    )


@st.composite
def answers(draw, body):
    """Return what becomes of a body: of its JSON, if it is any, or of its bytes."""
    try:
        value = json.loads(body)
    except ValueError:
        return draw(garbled(body))
    if draw(st.integers(0, 3)) == 0:
        return draw(garbled(body))
    text = json.dumps(draw(mutated(value)))
    return text.replace('"\\u0000"', draw(st.sampled_from(['"\\u0000"', "1e400", "NaN"]))).encode()
