"""The README's examples run, and its tables are made from the code; `UPDATE_DOCS=1` writes them."""

import asyncio
import inspect
import os
import re
from pathlib import Path

import pytest

from conversations_hub.provider import SHARED, Provider
from conversations_hub.providers import PROVIDERS, load

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
UPDATE = os.environ.get("UPDATE_DOCS") == "1"
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
    own = [", ".join(f"`{name}`" for name in native(cls)) or "–" for cls in classes.values()]
    lines.append(f"| its own | {' | '.join(own)} |")
    return "\n".join(lines)


def native(cls):
    """Return the operations that only this provider has."""
    return [
        name
        for name, member in inspect.getmembers(cls)
        if getattr(member, "is_operation", False) and name not in SHARED
    ]


def environment():
    lines = ["| provider | argument | variables |", "| --- | --- | --- |"]
    for name in PROVIDERS:
        cls = load(name)
        for argument, variables in cls.env.items():
            shown = ", ".join(f"`{variable}`" for variable in variables)
            lines.append(f"| {cls.__name__} | `{argument}` | {shown} |")
    return "\n".join(lines)


@pytest.mark.parametrize("make", [capabilities, environment], ids=lambda make: make.__name__)
def test_tables_are_made_from_the_code(make):
    name = make.__name__
    text = README.read_text(encoding="utf-8")
    made = f"<!-- {name} -->\n\n{make()}\n\n<!-- /{name} -->"
    pattern = f"<!-- {name} -->.*<!-- /{name} -->"
    whole = re.sub(pattern, lambda _: made, text, flags=re.DOTALL)
    if UPDATE:
        README.write_text(whole, encoding="utf-8")
    assert text == whole, "out of date: run the test once with UPDATE_DOCS=1"


def test_the_examples_run(capsys, monkeypatch):
    """The one with credentials is compiled; the one on the emulator runs to its end."""
    real, emulated = EXAMPLES
    compile(real, "README.md", "exec")
    ran = []
    run = asyncio.run
    monkeypatch.setattr(asyncio, "run", lambda main: ran.append(run(main)))
    exec(compile(emulated, "README.md", "exec"), {"__name__": "example"})
    out = capsys.readouterr().out
    assert ran == [None]
    assert "10 conversations from" in out
    assert "more messages" in out


def test_every_link_to_a_file_leads_to_one():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (README.parent / target).exists(), target
