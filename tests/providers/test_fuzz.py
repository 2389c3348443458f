"""Whatever becomes of a field: its record is translated or named, and its neighbours delivered."""

import json
import os
from itertools import islice

import pytest

import losses
from contract import built
from conversations_hub import TranslationError
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.wire import Response

PAIRS = [(name, kind) for name in PROVIDERS for kind in losses.KINDS]
CANARY = "canary words of a customer"
OTHERS = [None, True, 7, -1, 2**63, 1e300, "", CANARY, "\u0000", [], [None], [CANARY], {}, {"a": 1}]
GONE = object()
# Fifteen values for each part: one in four of them, so that the parts take turns at each.
STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "hunt" else 4


def mutated(payload):
    """Yield the payload with each of its parts gone, of another type, or strange."""
    leaves = list(losses.leaves(payload))
    for path in {leaf[:end] for leaf in leaves for end in range(1, len(leaf) + 1)}:
        for value in [GONE, *OTHERS]:
            changed = json.loads(json.dumps(payload))
            parent = losses.at(changed, path[:-1])
            if value is not GONE:
                parent[path[-1]] = value
            elif isinstance(parent, dict):
                del parent[path[-1]]
            yield changed
    yield payload | {"brandNew": {"deep": [CANARY]}}
    yield from OTHERS


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_one_record_at_a_time(name, kind):
    provider = built(load(name))
    recipe = losses.listing(provider, kind)
    wrap = json.loads((losses.SAMPLES / name / "wrap.json").read_text(encoding="utf-8"))[kind]
    for good in losses.samples(name, kind).values():
        neighbour = json.dumps(good)
        for bad in islice(mutated(good), 0, None, STRIDE):
            text = json.dumps(wrap).replace('"$RECORD"', f"{neighbour}, {json.dumps(bad)}")
            page = recipe.read(recipe.request, Response(status=200, body=text.encode()))
            told = len(page.items) + len(page.broken)
            same = page.items and told == 1  # a repeat that the reader itself drops
            assert told == 2 or same, bad
            for _, error in page.broken:
                assert isinstance(error, TranslationError)
                assert error.path
                assert "[1]" in error.path
                assert CANARY not in str(error)
