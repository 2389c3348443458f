"""Secret: a text that is not printed, pickled or logged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hmac import compare_digest
from typing import Any, NoReturn, Self
from urllib.parse import quote, quote_plus

from conversations_hub.errors import ConfigurationError

HIDDEN = "***"


class Secret:
    """A credential; only `reveal()` gives its text.

    It shows as `***` wherever it is printed, and cannot be pickled or written as JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ConfigurationError(
                f"the text of a Secret must be a string, not {type(text).__name__}"
            )
        self._text: str = text

    def reveal(self) -> str:
        """Return the text, for a place that really needs it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def _bytes(self) -> bytes:
        return self._text.encode("utf-8", "surrogatepass")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; hand the credential over where it is needed")


class Shy(str):
    """A text that has to be one, but shows as `***` among others, as in a dict or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def shy(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts that do not show."""
    return {name: Shy(text) for name, text in texts.items()}


def without(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text, the longest first, since one may be in another."""
    forms = {form for one in secrets for form in _forms(one)}
    for one in sorted(forms, key=len, reverse=True):
        # What is shorter is found by chance in any text.
        if len(one) > 5:
            text = text.replace(one, HIDDEN)
    return text


def _forms(text: str) -> Iterator[str]:
    """Yield how an answer may have a text: as it is, in a form, in JSON, or as bytes."""
    yield from (text, quote(text, safe=""), quote_plus(text))
    for plain in (True, False):
        inner = json.dumps(text, ensure_ascii=plain)[1:-1]
        yield from (inner, inner.replace("/", "\\/"))
    yield text.encode().decode("latin-1")


def secret(text: str | Secret) -> Secret:
    """Return a text as a secret, and a secret as it is."""
    return text if isinstance(text, Secret) else Secret(text)


def secret_or_none(text: str | Secret | None) -> Secret | None:
    """Do the same for what may be missing."""
    return None if text is None else secret(text)


def revealed(text: str | Secret | None) -> str:
    """Return the text of a secret, for the header it is sent in."""
    return text.reveal() if isinstance(text, Secret) else text or ""
