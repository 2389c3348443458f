"""Makes the models: attrs classes whose objects are built in C by msgspec.

The constructor that attrs writes for a frozen class goes through `object.__setattr__` for every
field, and the garbage collector looks at each object again and again. A model of a million
messages feels both. So the class that attrs has written, with its `repr`, equality, hash and
frozenness, is put on top of a msgspec Struct, whose constructor fills the same slots directly.
What is made of JSON is in no cycle, so the collector may leave it alone; the price is that a model
cannot be referred to weakly, nor be the base of a class with an `__init__`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

__all__ = ["model"]

# What the Struct has in its own way.
LEFT = frozenset({
    "__annotations__", "__getstate__", "__init__", "__setstate__", "__slots__", "__weakref__",
})  # fmt: skip

if TYPE_CHECKING:
    from attrs import frozen as model
else:

    def model(cls: type | None = None, *, kw_only: bool = False) -> Callable[[type], type] | type:
        """Do what `attrs.frozen` does, for classes whose values need no checks."""
        if cls is None:
            return lambda it: model(it, kw_only=kw_only)
        written = attrs.frozen(cls, kw_only=kw_only)
        fields = attrs.fields(written)
        left = LEFT.union(field.name for field in fields)
        namespace = {name: it for name, it in vars(written).items() if name not in left}
        namespace["__rich_repr__"] = _shown
        made = msgspec.defstruct(
            cls.__name__,
            [_struct_field(cls, field) for field in fields],
            namespace=namespace,
            module=cls.__module__,
            kw_only=kw_only,
            eq=False,
            gc=False,
        )
        # Those of defstruct say nothing of the types, which cattrs and people read here.
        made.__annotations__ = cls.__annotations__
        return made


def _shown(it: Any) -> Iterator[tuple[str, Any]]:
    """Tell rich, which would ask the Struct, no more than `repr` tells."""
    for field in attrs.fields(type(it)):
        if field.repr:
            yield field.name, getattr(it, field.name)


def _struct_field(cls: type, field: attrs.Attribute[Any]) -> tuple[str, Any] | tuple[str, Any, Any]:
    """Return a field as msgspec takes it; it converts and checks nothing, so neither may this."""
    if field.validator or field.converter or not field.init:
        raise TypeError(f"{cls.__name__}.{field.name} is more than a place for a value")
    default: Any = field.default
    if default is attrs.NOTHING:
        return field.name, Any
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = msgspec.field(default_factory=default.factory)
    return field.name, Any, default
