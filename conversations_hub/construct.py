"""Builds frozen models at the cost of mutable ones, for the one place where millions are made.

The constructor that attrs writes for a frozen class goes through `object.__setattr__` for every
field, which costs about four times a plain assignment. Here an instance of a subclass that
allows assignment is filled and then given the model's own class: the same slots, truly frozen.
Validators and converters are skipped, so only classes without them may be built this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def constructor(model: Callable[P, T]) -> Callable[P, T]:
    """Return a function that takes the model's arguments and returns what the model would."""
    cls = cast("type", model)
    fields = attrs.fields(cls)
    for field in fields:
        if field.validator or field.converter:
            raise TypeError(f"{cls.__name__}.{field.name} has a validator or a converter")
    # Setting and deleting share one slot in C: with either of them left in Python, every
    # assignment would go through it.
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    twin = type(cls.__name__, (cls,), {"__slots__": (), **plain})
    scope: dict[str, Any] = {"twin": twin, "model": cls}
    exec(_source(fields, scope), scope)  # noqa: S102 - text made from our own field names
    return cast("Callable[P, T]", scope["make"])


def _source(fields: tuple[attrs.Attribute[Any], ...], scope: dict[str, Any]) -> str:
    """Write the function; defaults go into its scope, factories are called by it."""
    positional = [_parameter(f, scope) for f in fields if not f.kw_only]
    keyword = [_parameter(f, scope) for f in fields if f.kw_only]
    parameters = [*positional, *(["*", *keyword] if keyword else [])]
    lines = [f"def make({', '.join(parameters)}):", " it = twin()"]
    for f in fields:
        if isinstance(f.default, attrs.Factory):  # type: ignore[arg-type]
            lines.append(f" it.{f.name} = f_{f.name}() if {f.name} is d_{f.name} else {f.name}")
        else:
            lines.append(f" it.{f.name} = {f.name}")
    return "\n".join([*lines, " it.__class__ = model", " return it"])


def _parameter(field: attrs.Attribute[Any], scope: dict[str, Any]) -> str:
    if field.default is attrs.NOTHING:
        return field.name
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        scope[f"f_{field.name}"] = default.factory
        default = attrs.NOTHING
    scope[f"d_{field.name}"] = default
    return f"{field.name}=d_{field.name}"
