"""Models to JSON and back, with cattrs, for files, queues and the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import cattrs
from cattrs.preconf.json import make_converter

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Ref
from conversations_hub.raw import Raw

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return a model as plain JSON values: refs as text, times as ISO 8601, `raw` as it arrived."""
    return converter.unstructure(value)


def from_json(value: Any, model: type[T]) -> T:
    """Return the model that `to_json` wrote; `ConfigurationError` where the value is none."""
    try:
        return converter.structure(value, model)
    except (cattrs.BaseValidationError, TypeError, ValueError, KeyError, AttributeError) as cause:
        where = "; ".join(cattrs.transform_error(cause))
        raise ConfigurationError(f"this is no {model.__name__}: {where}") from cause


def dumps(value: Any) -> str:
    """Return a model as one line of JSON."""
    return json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))


def loads(text: str | bytes, model: type[T]) -> T:
    """Return the model that `dumps` wrote."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise ConfigurationError(f"this is no {model.__name__}: not JSON") from cause
    return from_json(value, model)


def _tolerant(value: Any, cls: type[StrEnum]) -> StrEnum:
    """Read a value that a newer release may have written; the model's `raw` has the word itself."""
    try:
        return cls(value)
    except ValueError:
        return cls.__members__.get("UNKNOWN", next(iter(cls)))


def _is_free(kind: Any) -> bool:
    return bool(kind == Mapping[str, Any])


def _converter() -> cattrs.Converter:
    made = make_converter()
    made.register_unstructure_hook(Ref, str)
    made.register_structure_hook(Ref, lambda text, _: Ref.parse(text))
    made.register_unstructure_hook(datetime, datetime.isoformat)
    made.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    made.register_unstructure_hook(Raw, dict)
    made.register_structure_hook(Raw, lambda payload, _: Raw.of(payload))
    # What a provider lets users attach is JSON already.
    made.register_unstructure_hook_func(_is_free, dict)
    made.register_structure_hook_func(_is_free, lambda value, _: dict(value))
    made.register_structure_hook(StrEnum, _tolerant)
    return made


converter: cattrs.Converter = _converter()
