"""Writes plain text as Circuit's markup, so that it reads back to the letter."""

from __future__ import annotations

from html import escape

from conversations_hub.html_text import plain

# Bots hide their own data in front of what people see.
PRIVATE = "||::$$privateData="
PRIVATE_END = "::||"

NEWLINE = "&#10;"
"""A newline at the end of a text: as a `<br>` it would count for nothing."""


def rich(text: str) -> str:
    """Return a text as markup."""
    words = text.rstrip("\n")
    content = escape(words, quote=False).replace("\n", "<br>")
    if content.startswith(PRIVATE):
        content = f"&#124;{content[1:]}"
    return content + NEWLINE * (len(text) - len(words))


def shown(content: str) -> str:
    """Return what a reader sees of markup, without the data that bots hide in front."""
    # Most of it has none.
    if "<" not in content and "&" not in content and not content.startswith(PRIVATE):
        return content.rstrip("\n")
    content = _public(content)
    words = content
    while words.endswith(NEWLINE):
        words = words.removesuffix(NEWLINE)
    return plain(words) + "\n" * ((len(content) - len(words)) // len(NEWLINE))


def same_words(one: str | None, other: str | None) -> bool:
    """Tell whether two texts differ at most in blanks, as a sanitizer may leave them."""
    return "".join((one or "").split()) == "".join((other or "").split())


def _public(content: str) -> str:
    if not content.startswith(PRIVATE):
        return content
    end = content.find(PRIVATE_END, len(PRIVATE))
    return content[end + len(PRIVATE_END) :] if end >= 0 else content
