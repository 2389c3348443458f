"""Turns the markup that chat clients send into plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

# `html.parser` takes seconds for a few kilobytes of `<a <a <a ` and raises on `<![`. Here every
# character is looked at a bounded number of times, and no text is an error.
_OPENING = re.compile(r"<(?:(/?)([a-zA-Z][a-zA-Z0-9]*)|!--|[!?])")
_QUOTE_OR_END = re.compile(r"=\s*([\"'])|>")
_SHOWN = re.compile(r"(?<![\w-])abbr\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
# `unescape` raises on numbers that are too long to be a number.
_ENDLESS = re.compile(r"&#(?:\d{20,}|[xX][0-9a-fA-F]{20,});?")

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_UNSEEN = {
    name: re.compile(rf"</{name}(?![a-z0-9])", re.IGNORECASE) for name in ("script", "style")
}


def plain(html: str) -> str:
    """Return the text that a reader of this markup sees, without newlines at its end.

    Lists, paragraphs and rules stand on lines of their own, an emoticon's image becomes its
    `abbr`, entities their characters; every other tag is dropped and what it holds is kept.
    """
    if "<" not in html and "&" not in html:
        return html.rstrip("\n")
    text = "".join(_lines(_pieces(html)))
    return text.rstrip("\n")


def _lines(pieces: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield texts and line breaks; a block does not break a line that is still empty."""
    fresh = True
    for tag, text in pieces:
        shown = text
        if tag == "br":
            shown = "\n"
        elif tag in _BLOCKS:
            shown = "" if fresh else "\n"
        elif tag == "img":
            found = _SHOWN.search(text)
            shown = _decoded(next(filter(None, found.groups()), "")) if found else ""
        elif tag:
            continue
        if shown:
            yield shown
            fresh = shown.endswith("\n")


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """Cut markup into texts, whose tag is empty, and tags with what stands in them."""
    at = 0
    while opening := _OPENING.search(html, at):
        start, end = opening.start(), _end(html, opening)
        if end < 0:
            break
        yield "", _decoded(html[at:start])
        tag = (opening[2] or "").lower()
        if tag:
            yield tag, html[opening.end() : end - 1]
        if tag in _UNSEEN and not opening[1]:
            closing = _UNSEEN[tag].search(html, end)
            end = closing.start() if closing else len(html)
        at = end
    yield "", _decoded(html[at:])


def _end(html: str, opening: re.Match[str]) -> int:
    """Return where a tag or comment ends, -1 where it never does and so is none."""
    at = opening.end()
    if opening[0] == "<!--":
        end = html.find("-->", at)
        return end + 3 if end >= 0 else -1
    while found := _QUOTE_OR_END.search(html, at):
        at = found.end()
        if found[1] is None:
            return at
        closing = html.find(found[1], at)
        at = closing + 1 if closing >= 0 else at
    return -1


def _decoded(text: str) -> str:
    return unescape(_ENDLESS.sub("\ufffd", text)) if "&" in text else text
