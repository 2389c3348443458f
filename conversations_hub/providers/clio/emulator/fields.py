"""Reads Clio's `fields` parameter and cuts records down to exactly what it lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from attrs import Factory, frozen

from conversations_hub.providers.clio.emulator.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from conversations_hub.providers.clio.emulator.switches import ClioSwitches

Record = dict[str, Any]
Selection = dict[str, "Selection | None"]

_ITEM = re.compile(r"([^,{}]*)(?:\{([^{}]*)\})?(,|\Z)")
_TOO_DEEP = re.compile(r"\{(?:[^{}]*,)?([^,{}]*)\{")


class InvalidFieldError(RefusedError):
    """A name in `fields` that the resource does not have."""

    status = 400
    kind = "ArgumentError"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not a valid field")


@frozen
class Resource:
    """What may be asked of one kind of record."""

    fields: frozenset[str]
    associations: Mapping[str, Resource] = Factory(dict)
    defaults: tuple[str, ...] = ("id", "etag")

    @property
    def bare(self) -> Selection:
        """What is returned when no field is named."""
        return dict.fromkeys(self.defaults)

    @property
    def everything(self) -> Selection:
        """All that can be asked for: the fields, and those of the associations."""
        selection: Selection = dict.fromkeys(self.fields)
        for name, each in self.associations.items():
            selection[name] = dict.fromkeys(each.fields) or each.bare
        return selection


def parse(text: str, resource: Resource) -> Selection:
    """Read a `fields` parameter."""
    return _select(text, resource) if text else resource.bare


def _select(text: str, resource: Resource) -> Selection:
    return {name: _selected(name, braces, resource) for name, braces in _items(text)}


def _selected(name: str, braces: str | None, resource: Resource) -> Selection | None:
    association = resource.associations.get(name)
    if association is not None:
        return association.bare if braces is None else _select(braces, association)
    if braces is not None or name not in resource.fields:
        raise InvalidFieldError(name)
    return None


def _items(text: str) -> Iterator[tuple[str, str | None]]:
    """Split at the commas outside of braces; each name comes with what its braces hold."""
    position = 0
    while True:
        item = _ITEM.match(text, position)
        if item is None:
            raise InvalidFieldError(_culprit(text[position:]))
        yield item[1], item[2]
        if not item[3]:
            return
        position = item.end()


def _culprit(rest: str) -> str:
    # A selection that is too deep was reported with a dangling brace (§3).
    deep = _TOO_DEEP.search(rest)
    return f"{deep[1]}}}" if deep else rest


@frozen(kw_only=True)
class View:
    """How a token sees records: what is kept from it and how times are written."""

    zone: tzinfo
    zulu: bool
    fractions: bool
    redacts: bool
    loses_senders: bool

    def project(self, record: Record, selection: Selection) -> Record:
        """Return of a record what was selected."""
        if self.redacts and record.get("redacted"):
            return {"redacted": True}
        return {name: self._value(record, name, inner) for name, inner in selection.items()}

    def _value(self, record: Record, name: str, inner: Selection | None) -> Any:
        if name == "sender" and self.loses_senders and record.get("sender_lost"):
            return None
        if name == "date":  # of a message: its day in the user's own zone (§6.2)
            return record["created_at"].astimezone(self.zone).date().isoformat()
        value = record.get(name)
        if isinstance(value, datetime):
            return self.written(value)
        if inner is None or value is None:
            return value
        if isinstance(value, list):
            return [self.project(each, inner) for each in value]
        return self.project(value, inner)

    def written(self, moment: datetime) -> str:
        """Write a time as Clio does: with an offset and, normally, whole seconds."""
        local = moment.astimezone(self.zone)
        text = local.isoformat(timespec="milliseconds" if self.fractions else "seconds")
        return text.replace("+00:00", "Z") if self.zulu else text


def view(switches: ClioSwitches) -> View:
    """Return how records are seen under these switches."""
    return View(
        zone=_zone(switches.offset),
        zulu=switches.offset == "Z",
        fractions=switches.fractions,
        redacts=switches.redacted_matters,
        loses_senders=switches.null_senders,
    )


def _zone(offset: str) -> tzinfo:
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    sign = -1 if offset.startswith("-") else 1
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


AVATAR = Resource(_names("id etag created_at updated_at url _destroy"))
DOCUMENT = Resource(
    _names(
        "id etag created_at updated_at deleted_at type locked name received_at filename size"
        " content_type"
    )
)
MATTER = Resource(
    _names(
        "id etag number display_number custom_number currency description status location"
        " client_reference client_id billable maildrop_address billing_method open_date close_date"
        " pending_date created_at updated_at shared has_tasks last_activity_date"
        " matter_stage_updated_at"
    )
)
CONTACT = Resource(
    _names(
        "id etag name first_name middle_name last_name date_of_birth type created_at updated_at"
        " prefix title initials clio_connect_email locked_clio_connect_email"
        " client_connect_user_id primary_email_address secondary_email_address"
        " primary_phone_number secondary_phone_number ledes_client_id"
        " has_clio_for_clients_permission is_client is_clio_for_client_user is_co_counsel"
        " is_bill_recipient sales_tax_number currency"
    )
)
USER_BASE = Resource(
    _names(
        "account_owner clio_connect court_rules_default_attendee created_at default_calendar_id"
        " email enabled etag first_name id initials last_name name phone_number rate roles"
        " subscription_type time_zone updated_at"
    )
)
USER = Resource(
    USER_BASE.fields,
    {
        "account": Resource(_names("id etag name state created_at updated_at")),
        "avatar": AVATAR,
        "contact": CONTACT,
        "default_activity_description": Resource(
            _names(
                "id etag name visible_to_co_counsel created_at updated_at default type"
                " utbms_activity_id utbms_task_name utbms_task_id xero_service_code"
                " accessible_to_user category_type currency"
            )
        ),
        "groups": Resource(_names("client_connect_user etag id name type updated_at")),
        "job_title": Resource(_names("id etag name initials")),
        "notification_methods": Resource(
            _names("id etag type email_address is_default_email_address created_at updated_at")
        ),
    },
)
WEBHOOK = Resource(
    _names("id etag url fields shared_secret model status events expires_at created_at updated_at"),
    {"user": USER_BASE},
)
# The published description lets a message inside a conversation, and a conversation inside a
# message, have no associations of their own.
MESSAGE_BASE = Resource(_names("id etag date body created_at updated_at"))
CONVERSATION_BASE = Resource(
    _names(
        "id etag archived read_only current_user_is_member subject message_count"
        " time_entries_count read created_at updated_at"
    )
)
_IDENTIFIERS = _names("identifier secondary_identifier")
_PARTICIPANT = _IDENTIFIERS | _names(
    "id etag created_at updated_at type name initials enabled job_title_name"
)


@cache
def _participant(
    defaults: Literal["id_etag", "typed"], rejected: Literal["none", "identifiers", "all"]
) -> Resource:
    # The description leaves participants empty: which fields they take is not known (§3).
    bare = ("id", "etag") if defaults == "id_etag" else ("id", "etag", "type", "name")
    if rejected == "all":
        return Resource(frozenset(), defaults=bare)
    fields = _PARTICIPANT - _IDENTIFIERS if rejected == "identifiers" else _PARTICIPANT
    return Resource(fields, {"avatar": AVATAR}, bare)


def conversation(switches: ClioSwitches) -> Resource:
    """Return what may be asked of a conversation."""
    member = _participant(switches.member_defaults, switches.rejected_participant_fields)
    membership = Resource(_names("id etag read archived created_at updated_at"), {"member": member})
    return Resource(
        CONVERSATION_BASE.fields,
        {
            "documents": DOCUMENT,
            "first_message": MESSAGE_BASE,
            "last_message": MESSAGE_BASE,
            "matter": MATTER,
            "memberships": membership,
            "messages": MESSAGE_BASE,
        },
    )


def message(switches: ClioSwitches) -> Resource:
    """Return what may be asked of a message."""
    person = _participant(switches.member_defaults, switches.rejected_participant_fields)
    return Resource(
        MESSAGE_BASE.fields,
        {
            "conversation": CONVERSATION_BASE,
            "document": DOCUMENT,
            "receivers": person,
            "sender": person,
        },
    )
