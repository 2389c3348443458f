"""The providers that come with the package, one line each; none is imported before it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from conversations_hub.errors import ConfigurationError
from conversations_hub.provider import Provider

PROVIDERS: dict[str, str] = {
    "twilio": "conversations_hub.providers.twilio:Twilio",
    "sunshine": "conversations_hub.providers.sunshine:Sunshine",
    "clio": "conversations_hub.providers.clio:Clio",
    "circuit": "conversations_hub.providers.circuit:Circuit",
}


def load(name: str) -> type[Provider]:
    """Return the class of a provider; `ConfigurationError` where there is none of that name."""
    if name not in PROVIDERS:
        raise ConfigurationError(f"no provider {name!r}; there are {', '.join(PROVIDERS)}")
    cls: type[Provider] = attribute(PROVIDERS[name])
    return cls


def attribute(place: str) -> Any:
    """Import what `module:name` stands for."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def configured(environ: Mapping[str, str] | None = None) -> list[Provider]:
    """Return the providers whose environment variables are set, at least one of them."""
    environ = os.environ if environ is None else environ
    classes = [load(name) for name in PROVIDERS]
    found = [cls for cls in classes if any(environ.get(v) for v in cls.required_variables())]
    if not found:
        wanted = ", ".join(name for cls in classes for name in cls.required_variables())
        raise ConfigurationError(
            f"no provider's environment variables are set; set one of {wanted}"
        )
    return [cls.from_env(environ) for cls in found]
