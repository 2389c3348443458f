"""Chooses what Twilio's documentation leaves open, and some things that would hurt a client."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class TwilioSwitches:
    """How the faked Twilio behaves where the real one is uncertain or may surprise."""

    write_rate: int | None = None
    """So many writes there may be in any second, of a service or of a conversation; the documented
    30 would throttle ordinary tests."""

    retry_after: Literal["missing", "seconds"] = "missing"
    """Whether the 429 of a write too many says when to come back; it is not known to."""

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

    inferred_status: Literal["meaning", "plain"] = "meaning"
    """The status of 50350 and 50432 (not found) and of 50437 and 50438 (exists already): 404 and
    409, as they mean, or 400."""

    error_shape: Literal["classic", "problem", "codeless"] = "classic"
    """Errors in the usual shape, as RFC 9457 problems, or without `code`."""

    limit_status: Literal[403, 400] = 403
    """The status of one participant, webhook or conversation too many."""

    unknown_parameters: Literal["ignore", "reject"] = "ignore"
    """A form key that no document names: nothing happens, or 400, which finds misspelt names."""

    clear_with: Literal["empty", "null"] = "empty"
    """What clears a name, a timer or an address of ours: an empty value, or the word null."""

    initializing: Literal["refuse", "accept"] = "refuse"
    """Whether something can be written into a conversation that is still initializing."""

    default_timers: bool = False
    """Whether new conversations get the configuration's timers, ten minutes until they close."""

    long_texts: Literal["fail", "refuse"] = "fail"
    """Over 1600 characters to SMS or WhatsApp: the delivery fails with 21617, or 400 at once."""

    with_participants: Literal["created", "accepted"] = "created"
    """POST ConversationWithParticipants: 201, or 202 with a state that says `initializing`."""

    write_answers: Literal["arrive", "fail"] = "arrive"
    """Writes take effect and say so, or take effect and answer 500."""

    media_content: Literal["direct", "redirect"] = "direct"
    """The bytes of a file, or 307 to its temporary address on another host."""

    media_name: Literal["filename", "file_name"] = "filename"
    """How a file's name is called in its metadata."""

    media_seconds: int = 300
    """How long the temporary address of a file works; below 0 it has expired at once."""
