"""The loss audit: every leaf of every sample is mapped, or declared as kept in `raw` alone.

The tables in the providers' READMEs are made from it; `UPDATE_DOCS=1` writes them.
"""

import os
import re
from pathlib import Path

import pytest

import conversations_hub
import losses
from conversations_hub.providers import PROVIDERS

UPDATE = os.environ.get("UPDATE_DOCS") == "1"
PAIRS = [(name, kind) for name in PROVIDERS for kind in losses.KINDS]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_leaf_is_mapped_or_declared(name, kind):
    patterns = losses.kept(name)
    lost = [
        leaf
        for leaf, fields in losses.audit(name, kind).items()
        if not fields and not losses.is_kept(patterns, kind, leaf)
    ]
    assert lost == []


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_what_is_declared_as_kept_is_there_and_not_mapped(name, kind):
    found = losses.audit(name, kind)
    for pattern in [p for k, p in losses.kept(name) if k == kind]:
        leaves = [leaf for leaf in found if losses.matches(pattern, leaf)]
        assert leaves, f"{kind} {pattern}: no sample has it"
        assert [leaf for leaf in leaves if found[leaf]] == [], f"{kind} {pattern} is mapped"


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_raw_is_the_payload_as_it_arrived(name, kind):
    read = losses.reader(name, kind)
    for payload in losses.samples(name, kind).values():
        assert read(payload).raw == payload


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_readme_shows_what_maps_to_what(name):
    page = Path(conversations_hub.__file__).parent / "providers" / name / "README.md"
    text = page.read_text(encoding="utf-8")
    made = f"<!-- mapping -->\n\n{losses.table(name)}\n\n<!-- /mapping -->"
    whole = re.sub(r"<!-- mapping -->.*<!-- /mapping -->", lambda _: made, text, flags=re.DOTALL)
    if UPDATE:
        page.write_text(whole, encoding="utf-8")
    assert text == whole, "out of date: run the test once with UPDATE_DOCS=1"
