"""Who may import whom: read downwards, imports only point up."""

import ast
from functools import cache
from pathlib import Path

import conversations_hub

ROOT = Path(conversations_hub.__file__).parent

# From the top of the house to the front door. A module may import those on rows above its own.
ROWS = [
    ["raw", "circles", "errors", "construct", "html_text", "windows"],
    ["arguments", "budget", "allowance", "observing", "secret"],
    ["journal", "models", "tokens", "wire"],
    ["retrying", "codec", "recipes", "watching"],
    ["reading", "checkpoint", "questions", "stores"],
    ["paging", "provider", "writing"],
    ["values", "oauth"],
    ["providers"],
    ["people", "turns", "fates", "renewal", "sending"],
    ["network", "pace"],
    ["account", "stream"],
    ["transport"],
    ["fetch"],
    ["walk", "download", "bulk"],
    ["team"],
    ["pager"],
    ["resuming"],
    ["hub"],
]
ROW = {name: index for index, row in enumerate(ROWS) for name in row}
# The way in and what is built on the hub.
ABOVE_ALL = {"__init__", "__main__", "cli", "emulator", "telemetry"}
NETWORK = {"aiohttp"}


def modules():
    return sorted(ROOT.rglob("*.py"))


def area(path):
    """Return the row's name of a module: `providers` for a provider, `emulator` for a fake."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if "emulator" in parts:
        return "emulator"
    return parts[0]


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path):
    """Return what a module imports while running; imports for types alone do not count."""
    return list(_imports(tree_of(path)))


def _imports(tree):
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "conversations_hub":
                yield from (f"conversations_hub.{alias.name}" for alias in node.names)
            else:
                yield node.module


def ours(names):
    return [
        n.removeprefix("conversations_hub.") for n in names if n.startswith("conversations_hub.")
    ]


def test_imports_point_up():
    for path in modules():
        here = area(path)
        if here in ABOVE_ALL:
            continue
        assert here in ROW, f"{here} has no place in the house"
        for name in ours(imports(path)):
            there = name.split(".")[0]
            if here == there == "providers":
                mine = path.relative_to(ROOT).parts[1]
                assert name.split(".")[1] == mine, f"{path} imports another provider: {name}"
            else:
                assert ROW[there] < ROW[here], f"{here} imports {there}"


def test_only_one_module_touches_the_network():
    allowed = {"network", "emulator", "hub"}  # the hub names the session that it is given
    for path in modules():
        if NETWORK & {name.split(".")[0] for name in imports(path) if name}:
            assert area(path) in allowed, path


def test_nothing_but_the_loops_that_wait_is_async():
    waits = {
        "recipes",
        "fates",
        "fetch",
        "walk",
        "bulk",
        "pager",
        "download",
        "network",
        "account",
        "stream",
        "transport",
        "turns",
        "tokens",
        "stores",
        "renewal",
        "hub",
        "cli",
        "emulator",
    }
    for path in modules():
        nodes = ast.walk(tree_of(path))
        if any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in nodes):
            assert area(path) in waits, path


def test_a_fake_shares_no_translation_with_the_library():
    for path in modules():
        if "emulator" in path.parts and "providers" in path.parts:
            others = [name for name in ours(imports(path)) if "emulator" not in name.split(".")]
            assert others == [], path


def test_providers_words_stay_in_their_folders():
    names = ("twilio", "sunshine", "clio", "circuit")
    for path in modules():
        if area(path) in {"providers", "emulator", "cli", "__init__"} or path.name == "__init__.py":
            continue
        code = tree_of(path)
        words = [n.value for n in ast.walk(code) if isinstance(n, ast.Constant)]
        docs = {
            ast.get_docstring(n, clean=False)
            for n in ast.walk(code)
            if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for word in words:
            if isinstance(word, str) and word not in docs and "such as" not in word:
                assert not any(name in word.lower() for name in names), f"{path.name}: {word!r}"
