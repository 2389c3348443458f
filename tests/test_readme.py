"""The README's examples run, and its tables are made from the code; `UPDATE_DOCS=1` writes them."""

import asyncio
import inspect
import os
import re
from pathlib import Path

import pytest

import conversations_hub
from conversations_hub import ConversationsHub, Ref
from conversations_hub.emulator import Emulator
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.providers.circuit.windows import Times
from conversations_hub.providers.twilio.days import Days
from conversations_hub.questions import SHARED
from conversations_hub.recipes import TwoEnds

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
UPDATE = os.environ.get("UPDATE_DOCS") == "1"
SPEAKS = r"`((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`"
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def capabilities():
    classes = {name: load(name) for name in PROVIDERS}
    lines = [
        f"| | {' | '.join(cls.__name__ for cls in classes.values())} |",
        f"| --- |{' --- |' * len(classes)}",
    ]
    for question in SHARED:
        marks = [
            "yes" if getattr(cls, question) is not getattr(Provider, question) else "–"
            for cls in classes.values()
        ]
        lines.append(f"| `{question}` | {' | '.join(marks)} |")
    return "\n".join(lines)


def operations():
    lines = ["| provider | its own operations |", "| --- | --- |"]
    for name in PROVIDERS:
        cls = load(name)
        page = f"[{cls.__name__}](conversations_hub/providers/{name}/README.md#operations)"
        own = [f"`{one}`" for one in all_operations(cls) if one not in SHARED]
        lines.append(f"| {page} | {', '.join(own)} |")
    return "\n".join(lines)


def all_operations(cls):
    return [n for n, m in inspect.getmembers(cls) if getattr(m, "is_operation", False)]


def spoken(cls):
    """Return the table of a provider's operations, from their docstrings."""
    lines = ["| operation | speaks | |", "| --- | --- | --- |"]
    for name in all_operations(cls):
        text = inspect.getdoc(getattr(cls, name))
        paths = re.findall(SPEAKS, " ".join(text.split()))
        first = " ".join(text.partition("\n\n")[0].split())
        told = re.sub(rf":? *{SPEAKS}.*", "", first).rstrip(".:, ")
        shown = ", ".join(f"`{path}`" for path in dict.fromkeys(paths))
        lines.append(f"| `{name}` | {shown} | {told} |")
    return "\n".join(lines)


def places():
    """Return how each list can be read from several places."""
    ways = {TwoEnds: "two ends", Times: "windows of time", Days: "windows of days"}
    providers = Emulator(scale=0).providers()
    lines = [
        f"| | {' | '.join(type(one).__name__ for one in providers)} |",
        f"| --- |{' --- |' * len(providers)}",
    ]
    for question in ("conversations", "messages"):
        told = []
        for one in providers:
            asked = [Ref(one.name, "1")] if question == "messages" else []
            told.append(ways.get(type(getattr(one, question)(*asked).split), "–"))
        lines.append(f"| `{question}` | {' | '.join(told)} |")
    return "\n".join(lines)


def environment():
    lines = ["| provider | argument | variables |", "| --- | --- | --- |"]
    for name in PROVIDERS:
        cls = load(name)
        for argument, variables in cls.env.items():
            shown = ", ".join(f"`{variable}`" for variable in variables)
            lines.append(f"| {cls.__name__} | `{argument}` | {shown} |")
    return "\n".join(lines)


def check_table(page, name, table):
    """Compare a table with what it is made from, or write it."""
    text = page.read_text(encoding="utf-8")
    assert f"<!-- {name} -->" in text, f"{page} has no place for the table {name}"
    made = f"<!-- {name} -->\n\n{table}\n\n<!-- /{name} -->"
    pattern = f"<!-- {name} -->.*<!-- /{name} -->"
    whole = re.sub(pattern, lambda _: made, text, flags=re.DOTALL)
    if UPDATE:
        page.write_text(whole, encoding="utf-8")
    assert text == whole, "out of date: run the test once with UPDATE_DOCS=1"


@pytest.mark.parametrize(
    "make", [capabilities, places, operations, environment], ids=lambda make: make.__name__
)
def test_tables_are_made_from_the_code(make):
    check_table(README, make.__name__, make())


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_page_has_its_operations(name):
    page = Path(conversations_hub.__file__).parent / "providers" / name / "README.md"
    check_table(page, "operations", spoken(load(name)))


def test_the_examples_run(capsys, monkeypatch):
    """The one with credentials is compiled; those on the emulator run to their end."""
    real, *emulated = EXAMPLES
    compile(real, "README.md", "exec")
    ran = []
    run = asyncio.run
    monkeypatch.setattr(asyncio, "run", lambda main: ran.append(run(main)))
    for example in emulated:
        exec(compile(example, "README.md", "exec"), {"__name__": "example"})
    out = capsys.readouterr().out
    assert ran == [None] * len(emulated)
    shown = (
        "10 conversations from",
        "more messages",
        "True that all",
        "sent once",
        "it was done",
        ".conversations ends with",
    )
    for told in shown:
        assert told in out


def test_every_link_to_a_file_leads_to_one():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (README.parent / target).exists(), target


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(conversations_hub.__all__, id="names"),
        pytest.param(inspect.signature(ConversationsHub).parameters, id="the hub's arguments"),
        pytest.param([n for n in vars(ConversationsHub) if n[0] != "_"], id="the hub's methods"),
    ],
)
def test_everything_public_is_documented(names):
    assert [name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", TEXT)] == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_page_has_its_arguments(name):
    page = Path(conversations_hub.__file__).parent / "providers" / name / "README.md"
    text = page.read_text(encoding="utf-8").partition("<!-- operations -->")[0]
    shared = {"name", "base_url", "rate"}
    own = [each for each in inspect.signature(load(name)).parameters if each not in shared]
    assert [each for each in own if f"`{each}`" not in text] == []
