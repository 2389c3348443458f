"""Which accounts a command speaks to: the environment's, a file's or the emulator's."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from conversations_hub.emulator import Emulator
from conversations_hub.errors import ConfigurationError
from conversations_hub.hub import ConversationsHub
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS, configured, load


@frozen(kw_only=True)
class Accounts:
    """Where a command's accounts come from; without a file or the emulator, the environment."""

    config: Path | None = None
    emulator: bool = False
    seed: int = 1
    scale: float = 1.0
    resolve_names: bool = False

    @asynccontextmanager
    async def hub(self, names: Sequence[str] = ()) -> AsyncIterator[ConversationsHub]:
        """Open a hub of the named accounts, or of all; the emulator lives as long as the hub."""
        names = tuple(dict.fromkeys(names))
        if self.emulator:
            emulator = Emulator(seed=self.seed, scale=self.scale, only=names or None)
            async with emulator, emulator.hub(resolve_names=self.resolve_names) as hub:
                yield hub
        else:
            found = from_file(self.config, names) if self.config else from_environment(names)
            async with ConversationsHub(*found, resolve_names=self.resolve_names) as hub:
                yield hub


def from_environment(names: Sequence[str]) -> list[Provider]:
    """Return the named providers, or all that are configured, from environment variables."""
    classes = [load(name) for name in names]
    try:
        return [cls.from_env() for cls in classes] if names else configured()
    except ConfigurationError as cause:
        raise ConfigurationError(f"{cause}; or use --config FILE or --emulator") from cause


def from_file(path: Path, names: Sequence[str]) -> list[Provider]:
    """Return the named accounts of a TOML file, or all; each table is one account."""
    try:
        accounts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise ConfigurationError(f"{path}: {cause}") from cause
    if not accounts:
        raise ConfigurationError(f"{path}: no accounts in it; write a table such as [twilio]")
    if strangers := [name for name in names if name not in accounts]:
        raise ConfigurationError(
            f"{path}: no account {', '.join(strangers)}; there are {', '.join(accounts)}"
        )
    return [_account(path, name, accounts[name]) for name in names or accounts]


def _account(path: Path, name: str, table: Any) -> Provider:
    if not isinstance(table, Mapping):
        raise ConfigurationError(
            f"{path}: {name} is not a table; write [{name}] and settings below"
        )
    settings = {"name": name, **table}
    kind = settings.pop("provider", name)
    if not isinstance(kind, str) or kind not in PROVIDERS:
        raise ConfigurationError(
            f"{path}: account {name} needs provider = one of {', '.join(PROVIDERS)}"
        )
    try:
        return load(kind).from_settings(settings)
    except ConfigurationError as cause:
        raise ConfigurationError(f"{path}: account {name}: {cause}") from cause
    except (TypeError, ValueError, AttributeError) as cause:
        # Their words may quote a credential.
        raise ConfigurationError(f"{path}: account {name}: a setting of the wrong type") from cause
