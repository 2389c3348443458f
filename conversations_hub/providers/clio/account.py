"""One user's account at Clio: settings, credentials, and what all its requests have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from attrs import Factory, evolve, field, frozen, mutable
from yarl import URL

from conversations_hub.allowance import Allowance
from conversations_hub.errors import ConfigurationError, InvalidRequestError, StatusError
from conversations_hub.models import Attachment, Ref
from conversations_hub.oauth import OAuthProvider, TokenRequest, bearer
from conversations_hub.paging import MISSING, PageTokenPaging, dig
from conversations_hub.provider import (
    Problem,
    base_url_field,
    name_field,
)
from conversations_hub.providers.clio import fields, payloads, refusals, texts, windows
from conversations_hub.raw import Raw
from conversations_hub.reading import Record
from conversations_hub.recipes import Call, TwoEnds
from conversations_hub.tokens import Token
from conversations_hub.wire import QueryValue, Request, Response

HOSTS = {region: f"{region}.app.clio.com" for region in ("eu", "ca", "au")} | {"us": "app.clio.com"}
# Behind a gateway, links still name Clio's own host.
PAGES = PageTokenPaging(
    link=("meta", "paging", "next"),
    token="page_token",  # noqa: S106 - the parameter's name
    hosts=re.compile(r"((eu|ca|au)\.)?app\.clio\.com"),
    silent_end=True,
    total=("meta", "records"),
    size="limit",
)
# From the newest, pages are counted.
COUNTED = evolve(PAGES, counted=True)
# Only said aloud does this order page without end: the default and every other one stop at
# 10,000 records, and rows move between their pages.
BY_ID = "id(asc)"
NEWEST = "id(desc)"
NUMBERS: Record[payloads.Numbers, list[int]] = Record(
    payload=payloads.Numbers, translate=lambda page, _: [one.id for one in page.data]
)

T = TypeVar("T")


def two_ends(first: Request) -> TwoEnds:
    """Return how a list by id is read from its newest end: by count, down to 10,000 records."""
    return TwoEnds(backwards=first.with_query(order=NEWEST), total=_total, wall=InvalidRequestError)


def _total(envelope: Raw) -> int | None:
    """Return how many records a list has; where that is the page's own number, nobody knows."""
    total, onward = dig(envelope, ("meta", "records")), dig(envelope, PAGES.link)
    known = isinstance(total, int) and (onward in {MISSING, None} or total > len(envelope["data"]))
    return total if known else None


def _region(value: str) -> str:
    if not isinstance(value, str) or value not in HOSTS:
        raise ConfigurationError(f"region {value!r} is none of Clio's: us, eu, ca, au")
    return value


def _host(self: Account) -> URL:
    return URL(f"https://{HOSTS[self.region]}/api/v4")


@mutable
class Identity:
    """Who the token's user is, once Clio has told: a user's number."""

    me: int | None = None


@frozen(kw_only=True)
class Account(OAuthProvider):
    """Settings and credentials; the families of operations build on it."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token": ("CLIO_ACCESS_TOKEN", "CLIO_TOKEN"),
        "client_id": ("CLIO_CLIENT_ID",),
        "client_secret": ("CLIO_CLIENT_SECRET",),
        "redirect_uri": ("CLIO_REDIRECT_URI",),
        "refresh_token": ("CLIO_REFRESH_TOKEN",),
        "tokens": ("CLIO_TOKENS_FILE",),
        "region": ("CLIO_REGION",),
        "base_url": ("CLIO_BASE_URL",),
    }
    limits: ClassVar[Mapping[str, int]] = {"conversations": 200, "messages": 200, "webhooks": 200}

    tells_allowance: ClassVar[bool] = True
    api_path: ClassVar[str] = "/api/v4"

    name: str = name_field("clio")
    region: str = field(default="us", converter=_region)
    conversation_fields: tuple[str, ...] = field(default=(), converter=fields.checked)
    message_fields: tuple[str, ...] = field(default=(), converter=fields.checked)
    api_version: str | None = None
    base_url: URL = base_url_field(Factory(_host, takes_self=True))
    # One of each for the provider and its copies in hubs.
    _ladder: fields.Ladder = field(factory=fields.Ladder, init=False, eq=False, repr=False)
    _identity: Identity = field(factory=Identity, init=False, eq=False, repr=False)

    def authorization_url(self, *, state: str, redirect_on_decline: bool = False) -> str:
        """Return where a user lets the app in: `GET /oauth/authorize`.

        Make up a `state` that nobody can guess, and hand it to `authorization_code` when the
        browser comes back. What the app may do is ticked where it is registered.
        """
        declining = "true" if redirect_on_decline else None
        return self._authorization_url(state=state, redirect_on_decline=declining)

    def revoking(self, token: Token) -> TokenRequest:
        """Return what ends a token: `POST /oauth/deauthorize`."""
        return TokenRequest(
            url=URL(f"{self._authority}/deauthorize", encoded=True),
            form={"token": token.access.reveal()},
            headers=bearer(token.access),
            operation="deauthorize",
        )

    def allowance(self, response: Response, now: datetime) -> Allowance | None:
        """Read the window of sixty seconds that each token has (`X-RateLimit-*`)."""
        return windows.allowance(response, now)

    def problem(self, request: Request, response: Response) -> Problem:
        """Read Clio's error body, whatever shape it has."""
        return refusals.problem(request, response, self._added)

    def instead(self, request: Request, error: StatusError) -> Request | None:
        """Ask for less of people where Clio does not know their fields.

        A field that the caller added is the caller's to take out.
        """
        asked = request.query.get("fields", "")
        rung = fields.rung_of(asked)
        name = refusals.refused_field(error)
        if request.method != "GET" or rung is None or name is None or name in self._added:
            return None
        if rung == len(fields.LADDER) - 1:
            self._ladder.rung = 0  # it was not for the fields of people
            return None
        self._ladder.rung = max(rung + 1, self._ladder.rung)
        return request.with_query(fields=fields.at_rung(self._ladder.rung, asked))

    def fingerprint(self, request: Request) -> str:
        """Know a list whatever of people's fields were asked for."""
        return super().fingerprint(request.with_query(fields=None))

    def address(self, attachment: Attachment) -> Request:
        """Return where a document is; from there Clio redirects to its storage."""
        if attachment.url:
            return Request.of(attachment.url)
        if attachment.id is None:
            raise self.unsupported("download", "Clio does not tell which document this is")
        return self.asking("GET", "documents", attachment.id, "download")

    def asking(
        self,
        method: str,
        *segments: str,
        query: Mapping[str, QueryValue] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Return a request, of the version that the caller pins; a body stands under `data`."""
        version = texts.header("X-API-VERSION", self.api_version)
        return self.ask(
            method,
            *segments,
            query=query,
            json=None if data is None else {"data": data},
            headers={**version, **(headers or {})},
        )

    def number(self, thing: Ref | str | int, what: str) -> int:
        """Return the number in a ref or an id, as bodies have it."""
        text = self.id_of(thing) if isinstance(thing, Ref) else str(thing)
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise ConfigurationError(
                f"{text[:100]!r} is no {what}'s id: a number", provider=self.name
            )
        return int(text)

    def message_parts(self, *parts: str) -> str:
        """Return what to ask of messages, of people as much as Clio is known to have."""
        asked = fields.joined(",".join(parts), self.message_fields)
        return fields.at_rung(self._ladder.rung, asked)

    def newest(self, path: str, asked: str, then: Callable[[int], Call[T]]) -> Call[T]:
        """Go on with the number of the newest thing in a list, 0 where it is empty.

        What is written next has a greater one, and so is known from all that was there before.
        """
        query: dict[str, QueryValue] = {"order": NEWEST, "limit": 1, "fields": asked}
        request = self.asking("GET", path, query=query)
        return Call(request=request, read=lambda response: then(max(NUMBERS(response), default=0)))

    @property
    def _added(self) -> frozenset[str]:
        """The names that only the caller asks for."""
        ours = fields.names([fields.CONVERSATION, fields.MESSAGE])
        return fields.names([*self.conversation_fields, *self.message_fields]) - ours
