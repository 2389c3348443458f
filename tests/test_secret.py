"""Secrets are found wherever they were written, so that they can be taken out."""

import json
from urllib.parse import quote, quote_plus

import pytest

from conversations_hub.secret import without

SECRET = 'canary/+&="é word'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        # A body, which is looked at byte by byte.
        SECRET.encode().decode("latin-1"),
    ],
)
def test_a_secret_is_found_in_each_way_to_write_it(written):
    assert "canary" not in without(f"Bearer {written}, said you", [SECRET])
    assert without("canary", [SECRET]) == "canary"
