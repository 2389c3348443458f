"""Finds out where each leaf of each sample goes, by changing it: into a field, or `raw` alone."""

import copy
import fnmatch
import functools
import json
from collections import defaultdict

import attrs

from conftest import SAMPLES
from contract import built
from conversations_hub import Ref, TranslationError
from conversations_hub.provider import Provider
from conversations_hub.providers import load
from conversations_hub.wire import Response

KINDS = ("conversation", "message", "participant")
WHERE = "8801x"


def samples(name, kind):
    """Return a provider's payloads of a kind, by file."""
    files = sorted((SAMPLES / name).glob(f"{kind}-*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def kept(name):
    """Return the leaves that are deliberately found in `raw` alone, as (kind, pattern)."""
    lines = (SAMPLES / name / "kept.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line]


def listing(provider: Provider, kind):
    where = Ref(provider.name, WHERE)
    if kind == "conversation":
        return provider.conversations()
    return provider.messages(where) if kind == "message" else provider.participants(where)


def reader(name, kind):
    """Return a function from a payload to its model, through a page as the provider sends it."""
    provider = built(load(name))
    wrap = json.loads((SAMPLES / name / "wrap.json").read_text(encoding="utf-8"))[kind]
    recipe = listing(provider, kind)

    def read(payload):
        text = json.dumps(wrap).replace('"$RECORD"', json.dumps(payload))
        page = recipe.read(recipe.request, Response(status=200, body=text.encode()))
        if page.broken:
            raise page.broken[0][1]
        (item,) = page.items
        return item

    return read


def leaves(value, path=()):
    """Yield the paths of what holds nothing further: scalars, nulls, and empty containers."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def text(path):
    """Write a path with `[]` for any index: `content.items[].title`."""
    return "".join("[]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def at(value, path):
    for step in path:
        value = value[step]
    return value


def replaced(payload, path, value):
    changed = copy.deepcopy(payload)
    at(changed, path[:-1])[path[-1]] = value
    return changed


GENERIC = ["x y", "other", 7, 7.5, True, False, None, "2031-05-06T07:08:09Z", '{"k": 1}',
           1893456000000, [], {}, {"k": "v"}, [{"k": "v"}]]  # fmt: skip


def candidates(value, elsewhere):
    """Return other values for a leaf: of its own type, and what other samples have there."""
    near = []
    if isinstance(value, str):
        near += [f"{value} x", f"{value}0"]
    elif isinstance(value, int | float):
        near += [value + 1, value * 2 + 1000]
    return [c for c in [*near, *elsewhere, *GENERIC] if c != value or type(c) is not type(value)]


def touched(read, payload, path, elsewhere):
    """Return the fields of the model that change when a leaf does."""
    before = read(payload)
    fields = set()
    for value in candidates(at(payload, path), elsewhere):
        try:
            after = read(replaced(payload, path, value))
        except TranslationError:
            continue
        fields |= {
            f.name
            for f in attrs.fields(type(before))
            if f.name != "raw" and getattr(before, f.name) != getattr(after, f.name)
        }
    return fields


@functools.cache
def audit(name, kind):
    """Return, by leaf, the fields that any sample's leaf of that path reaches."""
    read, found, values = reader(name, kind), defaultdict(set), defaultdict(list)
    payloads = samples(name, kind)
    for payload in payloads.values():
        for path in leaves(payload):
            if at(payload, path) not in values[text(path)]:
                values[text(path)].append(at(payload, path))
    for payload in payloads.values():
        for path in leaves(payload):
            found[text(path)] |= touched(read, payload, path, values[text(path)])
    # What is null or empty in one sample and full in another is judged by what fills it.
    return {leaf: fields for leaf, fields in found.items() if fields or not _filled(leaf, found)}


def _filled(leaf, found):
    return any(other.startswith((f"{leaf}.", f"{leaf}[]")) for other in found)


def is_kept(patterns, kind, leaf):
    return any(k == kind and matches(pattern, leaf) for k, pattern in patterns)


def matches(pattern, leaf):
    escaped = pattern.replace("[]", "[[]]")
    return fnmatch.fnmatchcase(leaf, escaped) or (
        pattern.endswith(".*") and leaf == pattern.removesuffix(".*")
    )


def table(name):
    """Return the table of what maps to what, in Markdown."""
    patterns = kept(name)
    lines = ["| of a | field | becomes |", "| --- | --- | --- |"]
    for kind in KINDS:
        for leaf, fields in sorted(audit(name, kind).items()):
            if fields:
                shown = ", ".join(f"`{field}`" for field in sorted(fields))
                lines.append(f"| {kind} | `{leaf}` | {shown} |")
        rest = [f"`{p}`" for k, p in patterns if k == kind]
        if rest:
            lines.append(f"| {kind} | {', '.join(rest)} | in `raw` alone |")
    return "\n".join(lines)
