"""Makes a pager of a checkpoint, if it belongs to a question that this hub can ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conversations_hub import checkpoint as saving
from conversations_hub.errors import CheckpointError, HubError
from conversations_hub.fetch import Fetcher
from conversations_hub.pager import Pager
from conversations_hub.provider import Provider
from conversations_hub.recipes import Listing, Question
from conversations_hub.team import Team, resumed


def pager_of(fetcher: Fetcher, checkpoint: Mapping[str, Any]) -> Pager[Any]:
    """Return a pager that goes on where a checkpoint was taken; `CheckpointError` if none can."""
    saved = saving.read(checkpoint)
    try:
        return Pager(
            fetcher,
            [_team(fetcher, question) for question in saved.questions],
            limit=saved.limit,
            prefetch=saved.prefetch,
            on_error=saved.on_error,
            seen=[question.seen for question in saved.questions],
        )
    except CheckpointError:
        raise
    except (HubError, ArithmeticError, TypeError, ValueError, AttributeError) as cause:
        raise CheckpointError(f"the checkpoint is damaged: {cause}") from cause


def _team(fetcher: Fetcher, saved: saving.SavedQuestion) -> Team[Any]:
    """Return the walks of a question, each at its place."""
    question = saved.question()
    if (provider := fetcher.providers.get(question.provider)) is None:
        known = ", ".join(fetcher.providers) or "none"
        raise CheckpointError(f"no provider is called {question.provider!r}; this hub has {known}")
    windows = [walk.window.window() if walk.window else None for walk in saved.walks]
    team = resumed(fetcher, _listing(provider, question), saved.parallel, windows)
    if [provider.fingerprint(first) for first in team.firsts] != [w.first for w in saved.walks]:
        raise CheckpointError(
            "the checkpoint belongs to another query or account; start the walk anew",
            provider=provider.name,
            operation=question.name,
        )
    for walk, place in zip(team.walks, saved.walks, strict=True):
        walk.go_on_at(place.place(walk.listing.request, provider.base_url))
    team.recall()
    return team


def _listing(provider: Provider, question: Question) -> Listing[Any]:
    """Ask the question anew, but call nothing that is no operation."""
    method = getattr(type(provider), question.name, None)
    if getattr(method, "is_operation", False) is False:
        raise CheckpointError(f"{question.provider} has no listing {question.name!r}")
    listing = getattr(provider, question.name)(**question.arguments)
    if not isinstance(listing, Listing):
        raise CheckpointError(f"{question.provider}.{question.name} is not a listing")
    return listing
