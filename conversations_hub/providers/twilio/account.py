"""One account at Twilio: its settings, its credentials, and how its requests are made."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from attrs import Factory, field, frozen
from yarl import URL

from conversations_hub.budget import Rate
from conversations_hub.errors import (
    ConfigurationError,
    ConflictError,
    CursorExpiredError,
    NotFoundError,
    StatusError,
)
from conversations_hub.models import Ref
from conversations_hub.paging import PageTokenPaging
from conversations_hub.provider import (
    Problem,
    Provider,
    base_url_field,
    is_rate,
    json_object,
    name_field,
    secret_field,
    text_field,
)
from conversations_hub.providers.twilio import budgets, forms, values
from conversations_hub.recipes import Listing
from conversations_hub.secret import Secret, revealed
from conversations_hub.wire import QueryValue, Request, Response

T = TypeVar("T", bound=values.Thing)

HOSTS = re.compile(r"conversations(\.[a-z0-9-]+){0,2}\.twilio\.com")
# With an edge or region configured, links may still name the generic host.
PAGES = PageTokenPaging(
    link=("meta", "next_page_url"),
    token="PageToken",  # noqa: S106 - the parameter's name
    whole_query=True,
    hosts=HOSTS,
)
# Some answers have no code; what else was asked, Twilio has accepted on the first page.
BAD_PAGE_CODES: set[str | None] = {"20001", "21481", "70002", None}
# Of these codes the meaning is documented, and the status is not.
MEANINGS: Mapping[str | None, type[StatusError]] = {
    "50350": NotFoundError,
    "50432": NotFoundError,
    "50437": ConflictError,
    "50438": ConflictError,
}
HOME = "us1"
# More would lead to another host.
PLACE = re.compile(r"[A-Za-z0-9-]+")
CONVERSATION = re.compile(r"CH[0-9a-fA-F]{32}")
PARTICIPANT = re.compile(r"MB[0-9a-fA-F]{32}")
USER = re.compile(r"US[0-9a-fA-F]{32}")


def _host(self: Account) -> URL:
    if self.region not in {None, "", HOME} and not self.edge:
        raise ConfigurationError(
            f"region {self.region!r} needs an edge too, such as edge='dublin' for 'ie1'",
            provider=self.name,
        )
    place = f".{self.edge}.{self.region or HOME}" if self.edge else ""
    return URL(f"https://conversations{place}.twilio.com")


def _place(value: str | None) -> str | None:
    if value and not (isinstance(value, str) and PLACE.fullmatch(value)):
        raise ConfigurationError(f"{value!r} is no region or edge, such as 'ie1' or 'dublin'")
    return value


def _media_url(value: str | URL | None) -> URL | None:
    if value is None:
        return None
    url = URL(value)
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.query_string:
        raise ConfigurationError(
            "media_url takes http or https, a host and maybe a path, nothing else"
        )
    return url


@frozen(kw_only=True)
class Account(Provider):
    """An account at Twilio Conversations, version 1; the API key is used where both are given."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "account_sid": ("TWILIO_ACCOUNT_SID",),
        "auth_token": ("TWILIO_AUTH_TOKEN",),
        "api_key_sid": ("TWILIO_API_KEY_SID", "TWILIO_API_KEY"),
        "api_key_secret": ("TWILIO_API_KEY_SECRET", "TWILIO_API_SECRET"),
        "service_sid": ("TWILIO_CHAT_SERVICE_SID", "TWILIO_CONVERSATIONS_SERVICE_SID"),
        "region": ("TWILIO_REGION",),
        "edge": ("TWILIO_EDGE",),
        "base_url": ("TWILIO_CONVERSATIONS_BASE_URL",),
    }
    limits: ClassVar[Mapping[str, int]] = {
        "conversations": 100,
        "conversations of a participant": 50,
        "messages": 100,
        "participants": 100,
        "receipts": 50,
        "users": 50,
        "user_conversations": 50,
        "participant_conversations": 50,
        "webhooks": 5,
        "address_configurations": 50,
    }
    nearest: ClassVar[Mapping[str, str]] = {
        "archive": "close() ends it for good, update(ref, state='inactive') puts it aside",
        "unarchive": "update(ref, state='active') wakes an inactive one; a closed one stays closed",
    }
    request_id_header: ClassVar[str] = "Twilio-Request-Id"

    name: str = name_field("twilio")
    account_sid: str = text_field()
    auth_token: str | Secret | None = secret_field(None)
    api_key_sid: str | None = text_field(None)
    api_key_secret: str | Secret | None = secret_field(None)
    service_sid: str | None = text_field(None)
    region: str | None = field(default=None, converter=_place)
    edge: str | None = field(default=None, converter=_place)
    base_url: URL = base_url_field(Factory(_host, takes_self=True))
    media_url: URL | None = field(default=None, converter=_media_url)
    """Where files are; None is Twilio's own place, or the base URL where that is not Twilio's."""
    write_rate: Rate | None = field(default=Rate(30), validator=is_rate)
    """How fast to write in one conversation, and how fast to begin and end them in a service."""

    def __attrs_post_init__(self) -> None:
        if not self.auth_token and not (self.api_key_sid and self.api_key_secret):
            raise ConfigurationError(
                "Twilio needs an auth_token, or an api_key_sid and its api_key_secret",
                provider=self.name,
            )

    @property
    def media(self) -> URL:
        """The place that files are asked from."""
        if self.media_url is not None:
            return self.media_url
        if not HOSTS.fullmatch(self.base_url.host or ""):
            return self.base_url  # an emulator or a gateway, which stands for all of Twilio
        return URL(f"https://mcs.{self.region or HOME}.twilio.com")

    @property
    def origins(self) -> frozenset[URL]:
        """The places that get the credentials: the API and the files have a host each."""
        return frozenset({self.base_url.origin(), self.media.origin()})

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with HTTP Basic."""
        user, secret = self.account_sid, self.auth_token
        if self.api_key_sid and self.api_key_secret:
            user, secret = self.api_key_sid, self.api_key_secret
        pair = b64encode(f"{user}:{revealed(secret)}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def rates(self, request: Request) -> Mapping[str, Rate]:
        """Return the account's budget, and that of what is written: thirty a second at Twilio."""
        name = budgets.budget_of(request) if self.write_rate is not None else None
        if name is None or self.write_rate is None:
            return super().rates(request)
        return {name: self.write_rate, **super().rates(request)}

    def problem(self, request: Request, response: Response) -> Problem:
        """Read Twilio's own error body, or RFC 9457's."""
        body = json_object(response)
        code = str(body["code"]) if body.get("code") is not None else None
        refused = response.status == 400 and code in BAD_PAGE_CODES
        lost = refused and "PageToken" in request.query
        return Problem(
            message=str(body.get("message") or body.get("detail") or body.get("title") or ""),
            code=code,
            request_id=response.header(self.request_id_header),
            kind=CursorExpiredError if lost else MEANINGS.get(code),
        )

    # What the operations are made of.

    def _scope(self, *segments: str) -> tuple[str, ...]:
        """Return a path in the default service, or in the one that is set."""
        service = ("Services", self.service_sid) if self.service_sid else ()
        return ("v1", *service, *segments)

    def _get(self, *segments: str, query: Mapping[str, QueryValue] | None = None) -> Request:
        return self.get(*self._scope(*segments), query=query)

    def _post(
        self, *segments: str, form: forms.Form, webhook_enabled: bool | None = None
    ) -> Request:
        hooks = forms.hooks(webhook_enabled)
        return self.ask("POST", *self._scope(*segments), form=form, headers=hooks)

    def _delete(self, *segments: str, webhook_enabled: bool | None = None) -> Request:
        return self.ask("DELETE", *self._scope(*segments), headers=forms.hooks(webhook_enabled))

    def _things(
        self, kind: type[T], items: str, request: Request, *, moving: bool = True
    ) -> Listing[T]:
        """Return a list of Twilio's own things; in which order they come, nobody says."""
        return Listing(
            request=request,
            read=values.many(self.name, kind, items, PAGES),
            repeats=moving,
            moving=moving,
        )

    def _id(self, thing: Ref | str) -> str:
        return self.id_of(thing) if isinstance(thing, Ref) else thing

    def _identity(self, who: Ref | str, question: str) -> str:
        """Return the identity that somebody has; a SID in its place would be taken for one."""
        identity = self._id(who)
        if PARTICIPANT.fullmatch(identity):
            raise self.unsupported(
                question, "a participant is in one alone; give its `user` or `address`"
            )
        if USER.fullmatch(identity):
            raise self.unsupported(
                question, "a user is known there by identity; give its `identity`"
            )
        return identity

    def _changed(self, form: forms.Form, names: str) -> forms.Form:
        """Return what is to change, which has to be something."""
        if all(value is None for value in form.values()):
            raise ConfigurationError(f"nothing is to change; give {names}", provider=self.name)
        return form
