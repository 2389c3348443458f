"""Turns Markdown into HTML and HTML into text, about as the API does on reception."""

from __future__ import annotations

import html
import re

INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*(.+?)\*"), r"<em>\1</em>"),
)
HEADING = re.compile(r"(#{1,6}) +(.*)")


def html_of(markdown: str) -> str:
    """Return Markdown as HTML: headings, paragraphs and what stands inside a line."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    text = html.escape(block, quote=False)
    for pattern, markup in INLINE:
        text = pattern.sub(markup, text)
    heading = HEADING.fullmatch(text)
    if heading:
        level = len(heading[1])
        return f"<h{level}>{heading[2]}</h{level}>"
    return "<p>" + text.replace("\n", "<br>") + "</p>"


def text_of(markup: str) -> str:
    """Return what remains of HTML without its tags."""
    lines = re.sub(r"<br\s*/?>|</(p|h[1-6]|li|div)>", "\n", markup, flags=re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]*>", "", lines)).strip()
