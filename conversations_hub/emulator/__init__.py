"""The four APIs, faked on loopback over real HTTP, for trying out and for tests.

They speak the words that the providers publish and share no translation with the library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Self

from conversations_hub.emulator.faults import Faults, Struck
from conversations_hub.emulator.kinds import FAULTS, Kind
from conversations_hub.emulator.server import (
    Alter,
    Api,
    ApiError,
    Exchange,
    Intercept,
    LoggedRequest,
    Server,
    json_response,
    refusal,
)
from conversations_hub.errors import ConfigurationError
from conversations_hub.hub import ConversationsHub
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS, attribute, load

__all__ = [
    "FAULTS",
    "Alter",
    "Api",
    "ApiError",
    "Emulator",
    "Exchange",
    "Faults",
    "Intercept",
    "Kind",
    "LoggedRequest",
    "Server",
    "Struck",
    "json_response",
    "refusal",
]


class Emulator:
    """Serves emulated providers, each on a free port of 127.0.0.1, while it is entered.

    The data come from `seed`; `scale` multiplies their number. `latency` is in seconds and
    added to every answer. `switches` sets, by provider, what its documentation leaves open.
    `faults` decides which requests go wrong, and how.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        latency: float = 0.0,
        scale: float = 1.0,
        only: Iterable[str] | None = None,
        switches: Mapping[str, Mapping[str, Any]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        chosen = list(PROVIDERS) if only is None else list(only)
        given = dict(switches or {})
        if unknown := set(given) - set(chosen):
            raise ConfigurationError(
                f"switches for {', '.join(sorted(unknown))}: not emulated here"
            )
        self.servers: dict[str, Server] = {
            name: Server(_api(name, seed, scale, given.get(name, {})), latency, faults=faults)
            for name in chosen
        }

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(server.start() for server in self.servers.values()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(server.stop() for server in self.servers.values()))

    def __getitem__(self, name: str) -> Api:
        """Return what a provider's emulation stores, to look at or to change."""
        return self.servers[name].api

    def base_url(self, name: str) -> str:
        """Return where a provider's documented paths begin."""
        return self.servers[name].base_url

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return what clients of any kind need, by provider."""
        return {
            name: {"base_url": server.base_url, **server.api.settings}
            for name, server in self.servers.items()
        }

    def providers(self, **options: Any) -> list[Provider]:
        """Return the providers that speak to this emulator."""
        return [
            load(name).from_settings(
                {"base_url": server.base_url, **server.api.arguments, **options}
            )
            for name, server in self.servers.items()
        ]

    def hub(self, **options: Any) -> ConversationsHub:
        """Return a hub of all of them; the options are those of `ConversationsHub`."""
        return ConversationsHub(*self.providers(), **options)

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request as it arrived, provider by provider."""
        return [request for server in self.servers.values() for request in server.requests]


def _api(name: str, seed: int, scale: float, switches: Mapping[str, Any]) -> Api:
    """Build the emulation of a provider, which stands in the provider's own folder."""
    if name not in PROVIDERS:
        raise ConfigurationError(f"no provider {name!r}; there are {', '.join(PROVIDERS)}")
    module, _, cls = PROVIDERS[name].partition(":")
    try:
        chosen = attribute(f"{module}.emulator:{cls}Switches")(**switches)
    except TypeError as cause:
        raise ConfigurationError(f"the emulated {cls} has no such switch: {cause}") from cause
    api: Api = attribute(f"{module}.emulator:{cls}Api")(seed=seed, scale=scale, switches=chosen)
    return api
