"""Reads the two kinds of forms: names like `data[receivers][][id]` become nested records."""

from __future__ import annotations

import json
import re
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_KEY = re.compile(r"\[([^\[\]]*)\]")


def urlencoded(body: bytes) -> dict[str, Any]:
    """Read `application/x-www-form-urlencoded`."""
    return nested(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))


def multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Read `multipart/form-data`; a part may be JSON, as clients made from descriptions send it."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + body)
    if not message.is_multipart():
        raise ValueError("there is no boundary")
    return nested(_parts(message))


def _parts(message: Message[str, str]) -> Iterator[tuple[str, Any]]:
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):  # the whole has none of its own
            text = content.decode()
            is_json = part.get_content_type() == "application/json"
            name = part.get_param("name", header="Content-Disposition")
            yield str(name), json.loads(text) if is_json else text


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Put values where their names say: `[key]` goes into a record, `[]` onto a list."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.match(name)
        keys = [found[1], *_KEY.findall(found[2])] if found else [name]
        _put(root, keys, value)
    return root


def _put(into: Any, keys: list[str], value: Any) -> None:
    key, *rest = keys
    if not isinstance(into, dict):
        raise ValueError(f"{key} does not belong there")  # noqa: TRY004 - the client's mistake
    if not rest:
        into[key] = value
    elif rest[0]:
        _put(into.setdefault(key, {}), rest, value)
    else:
        _append(into.setdefault(key, []), rest[1:], value)


def _append(items: Any, keys: list[str], value: Any) -> None:
    if not isinstance(items, list):
        raise ValueError("a list is no record")  # noqa: TRY004 - the client's mistake
    if not keys:
        items.append(value)
        return
    # A key that the last record already has begins the next one.
    if not items or (isinstance(items[-1], dict) and keys[0] in items[-1]):
        items.append({})
    _put(items[-1], keys, value)
