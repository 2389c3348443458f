"""The words and options that commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from conversations_hub.cli.settings import Accounts
from conversations_hub.hub import ConversationsHub
from conversations_hub.models import ConversationState, Ref
from conversations_hub.providers import PROVIDERS

R = TypeVar("R")

STATES = [state.value for state in ConversationState if state is not ConversationState.UNKNOWN]


def ref_of(text: str) -> Ref:
    """Read PROVIDER:ID."""
    try:
        return Ref.parse(text)
    except ValueError as cause:
        raise click.BadParameter(str(cause)) from cause


def date(text: str) -> datetime:
    """Read a date or a time in ISO 8601; without an offset it is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise click.BadParameter(
            f"{text!r} is not an ISO 8601 date, such as 2026-01-31T09:30Z"
        ) from cause
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


LIMIT = click.option("--limit", type=click.IntRange(min=0), help="Print at most this many.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON Lines instead of text.")
SEED = click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the emulator's data."
)
SCALE = click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How much data the emulator holds, as a factor.",
)
LATENCY = click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="MS",
    help="Milliseconds to delay every answer by.",
)
ONLY = click.option(
    "--only", multiple=True, metavar="NAME", help="Emulate only this provider; can be repeated."
)


def accounts(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options that say which accounts a command speaks to."""

    def chosen(
        *args: Any,
        config: Path | None,
        emulator: bool,
        seed: int,
        scale: float,
        resolve_names: bool,
        **options: Any,
    ) -> R:
        if config and emulator:
            raise click.UsageError("--config and --emulator exclude each other")
        found = Accounts(
            config=config, emulator=emulator, seed=seed, scale=scale, resolve_names=resolve_names
        )
        return command(found, *args, **options)

    chosen.__name__, chosen.__doc__ = command.__name__, command.__doc__
    chosen.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_ACCOUNT_OPTIONS):
        option(chosen)
    return chosen


_ACCOUNT_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read accounts from a TOML file, one table each, instead of the environment.",
    ),
    click.option(
        "--emulator", is_flag=True, help="Use the built-in emulator instead of an account."
    ),
    SEED,
    SCALE,
    click.option("--resolve-names", is_flag=True, help="Look up people known only by id."),
)


def person(opened: ConversationsHub, text: str | None) -> Ref | str | None:
    """Read a participant: a reference where it begins with an account's or a provider's name."""
    if (
        text
        and text.partition(":")[0] in {*PROVIDERS, *opened.providers}
        and text.partition(":")[2]
    ):
        return Ref.parse(text)
    return text
