"""Chooses what Twilio's documentation leaves open, and some things that would hurt a client."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class TwilioSwitches:
    """How the faked Twilio behaves where the real one is uncertain or may surprise."""

    page_size_above_cap: Literal["reject", "clamp"] = "reject"
    """A PageSize above the resource's maximum: 400, or the maximum."""

    reject_page_without_token: bool = False
    """A non-zero Page without PageToken is 400, instead of the first page under that number."""

    next_page_url: Literal["own", "generic", "foreign", "path", "loop"] = "own"
    """Where `next_page_url` leads: the host that was asked, Twilio's generic host, somebody
    else's host, another path, or the page it stands on."""

    empty_middle_page: bool = False
    """The second page of a longer list is empty and has a next page."""

    short_pages: bool = False
    """Pages hold half of what was asked for, and go on."""

    dates: Literal["seconds", "milliseconds"] = "seconds"
    """How exact the dates in answers are."""

    date_updated: Literal["always", "edited"] = "always"
    """Whether a message that was never edited has a `date_updated` or null."""

    unknown_enums: bool = False
    """States, delivery statuses, binding types and webhook targets nobody has heard of."""

    extra_fields: bool = False
    """Every record has a field nobody has heard of."""

    binding_keys: Literal["some", "all", "none"] = "some"
    """A participant's binding: the keys of its channel, all six with nulls, or no key at all."""

    chat_delivery: Literal["null", "zero"] = "null"
    """`delivery` of a message without recipients outside the chat: null, or a total of 0."""

    end_date_second: Literal["excluded", "included"] = "excluded"
    """Whether something created at 23:59:59.5 is within `EndDate=…T23:59:59Z`."""

    unique_name_in_subresources: bool = False
    """Whether a unique name may stand for the conversation in paths below it."""

    not_found_codes: Literal["general", "specific"] = "general"
    """Missing things answer 20404, or conversations 50350 and participants 50432."""

    error_shape: Literal["classic", "problem", "codeless"] = "classic"
    """Errors in the usual shape, as RFC 9457 problems, or without `code`."""
