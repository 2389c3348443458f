"""Strips the markup that Circuit does not allow, and touches nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What an HTML parser takes for markup; any other `<` is text.
MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<dropped>script|style)\b[^>]*>.*?(?:</(?P=dropped)\s*>|\Z)"
    r"|<[!?][^>]*>"
    r"""|<(?P<end>/?)(?P<name>[a-z][^\s/>"'<]*)(?P<rest>(?:"[^"]*"|'[^']*'|[^"'<>])*)>""",
    re.IGNORECASE | re.DOTALL,
)
ATTRIBUTE = re.compile(r"""\s*([^\s=/"']+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"']+))?""")
PLAIN = ("b", "i", "br", "hr", "ul", "ol", "li")
SPANS = ("rich-text-highlight", "mention")
ADDRESS = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)

Attributes = dict[str, str]


def _link(found: Attributes) -> tuple[str, ...]:
    return ("href",) if ADDRESS.match(found.get("href", "")) else ()


def _span(found: Attributes) -> tuple[str, ...]:
    return ("class", "abbr") if found.get("class") in SPANS else ()


def _emoticon(found: Attributes) -> tuple[str, ...]:
    return ("class", "abbr") if "emoticon-icon" in found.get("class", "").split() else ()


SPECIAL: dict[str, Callable[[Attributes], tuple[str, ...]]] = {
    "a": _link,
    "span": _span,
    "img": _emoticon,
}
"""Which attributes an element with these ones may keep; without any it goes."""


class _Sanitizer:
    """Remembers which elements went, so that their ends go too."""

    def __init__(self) -> None:
        self.kept: dict[str, list[bool]] = {name: [] for name in SPECIAL}

    def __call__(self, markup: re.Match[str]) -> str:
        name = (markup["name"] or "").casefold()
        if name in PLAIN:
            return markup[0] if not markup["rest"].strip(" /\t\n") else self._rebuilt(markup, ())
        if name not in SPECIAL:
            return ""
        if markup["end"]:
            starts = self.kept[name]
            return markup[0] if starts and starts.pop() else ""
        return self._start(name, markup)

    def _start(self, name: str, markup: re.Match[str]) -> str:
        found = {one: value.strip("\"'") for one, value in _attributes(markup)}
        allowed = SPECIAL[name](found)
        if name != "img":
            self.kept[name].append(bool(allowed))
        if not allowed or found.keys() <= set(allowed):
            return markup[0] if allowed else ""
        return self._rebuilt(markup, allowed)

    def _rebuilt(self, markup: re.Match[str], allowed: tuple[str, ...]) -> str:
        pairs = [f" {name}={value}" for name, value in _attributes(markup) if name in allowed]
        close = "/" if markup["rest"].endswith("/") else ""
        return f"<{markup['end']}{markup['name']}{''.join(pairs)}{close}>"


def _attributes(markup: re.Match[str]) -> list[tuple[str, str]]:
    return [(name.casefold(), value) for name, value in ATTRIBUTE.findall(markup["rest"])]


def sanitized(content: str) -> str:
    """Return content with the allowed markup, and all its text, as it was written."""
    return MARKUP.sub(_Sanitizer(), content)
