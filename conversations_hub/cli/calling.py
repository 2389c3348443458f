"""The command that calls any operation of a provider, by its own name and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click

from conversations_hub import codec
from conversations_hub.cli.arguments import arguments, parameters, placeholder
from conversations_hub.cli.commands import in_json, pour
from conversations_hub.cli.options import LIMIT, accounts
from conversations_hub.cli.program import finish, hub, write
from conversations_hub.cli.settings import Accounts
from conversations_hub.cli.writing import carried_out
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.recipes import Call


class Providers(click.Group):
    """Every provider as a group of its operations."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Name the providers."""
        return list(PROVIDERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a provider's operations."""
        return Operations(cmd_name) if cmd_name in PROVIDERS else None


class Operations(click.Group):
    """A provider's operations as commands, made from its methods."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider, help=f"The operations of {provider}.", no_args_is_help=True)
        self.provider: type[Provider] = load(provider)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Name the operations."""
        return sorted(operations(self.provider))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return an operation as a command."""
        method = operations(self.provider).get(cmd_name)
        return None if method is None else _command(str(self.name), cmd_name, method)


def operations(cls: type[Provider]) -> dict[str, Callable[..., Any]]:
    """Return what a provider can be asked, by name."""
    return {
        name: member
        for name, member in inspect.getmembers(cls)
        if getattr(member, "is_operation", False)
    }


@hub.group("call", cls=Providers, no_args_is_help=True)
def call() -> None:
    """Call any operation of a provider.

    For example: call circuit communities sort=POPULARITY.

    The result is printed as JSON, a list as JSON Lines. Give mappings as JSON, lists as JSON or
    with commas between plain values, dates as ISO 8601, and files as their paths.
    """


def _command(provider: str, name: str, method: Callable[..., Any]) -> click.Command:
    """Make a command of an operation; its help is the method's own."""

    @click.argument("given", nargs=-1, metavar="[KEY=VALUE…]")
    @click.option("--account", metavar="NAME", help="The account, where it has another name.")
    @LIMIT
    @accounts
    def command(
        found: Accounts, *, given: tuple[str, ...], account: str | None, limit: int | None
    ) -> None:
        asked = arguments(method, given, {*PROVIDERS, account or provider})

        async def work() -> None:
            async with found.hub([account or provider]) as opened:
                recipe = getattr(opened[account or provider], name)(**asked)
                if isinstance(recipe, Call):
                    thing = await carried_out(opened, recipe)
                    write([] if thing is None else [codec.dumps(thing)])
                else:
                    await pour(opened.iterate(recipe, limit=limit), in_json)

        finish(work())

    return click.command(name, help=_help(method), short_help=_summary(method))(command)


def _summary(method: Callable[..., Any]) -> str:
    return (inspect.getdoc(method) or "").partition("\n")[0].replace("`", "")


def _help(method: Callable[..., Any]) -> str:
    told = (inspect.getdoc(method) or "").replace("`", "")
    lines = [f"  {key}={placeholder(hint)}" for key, hint in parameters(method).items()]
    return "\n\n".join([told, "\b\n" + "\n".join(["Keys:", *lines])]) if lines else told
