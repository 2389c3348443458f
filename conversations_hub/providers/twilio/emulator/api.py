"""Serves Twilio's API: its paths in both forms, credentials, and the answers to what is wrong."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.rates import Gate
from conversations_hub.emulator.server import Api, refusal
from conversations_hub.providers.twilio.emulator import errors, files, rates, writes
from conversations_hub.providers.twilio.emulator.pages import GENERIC
from conversations_hub.providers.twilio.emulator.reads import (
    BOTH_FORMS,
    ONE_FORM,
    Call,
    by_creation,
    by_date,
)
from conversations_hub.providers.twilio.emulator.seed import filled
from conversations_hub.providers.twilio.emulator.shapes import Shapes
from conversations_hub.providers.twilio.emulator.store import Store, by_sid
from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from conversations_hub.providers.twilio.emulator.conversation import Record
    from conversations_hub.providers.twilio.emulator.reads import Answer
    from conversations_hub.providers.twilio.emulator.writes import Reply


def pattern(path: str) -> str:
    """Write a path as a route whose values may hold anything but a slash."""
    return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", path)


def found_in(table: Mapping[str, Answer]) -> dict[str, Reply]:
    """Return the read operations as replies."""
    return {path: writes.found(answer) for path, answer in table.items()}


class TwilioApi(Api):
    """Twilio's Conversations API v1."""

    name: ClassVar[str] = "twilio"

    def __init__(
        self, *, seed: int = 1, scale: float = 1.0, switches: TwilioSwitches | None = None
    ) -> None:
        self.switches: TwilioSwitches = switches or TwilioSwitches()
        self.store: Store = filled(seed, scale)
        self.gate: Gate = Gate()
        self._requests = Corpus(seed, "twilio/requests")
        self._words = Corpus(seed, "twilio/later")

    @property
    def settings(self) -> dict[str, Any]:
        """Return the account's credentials."""
        return {"account_sid": self.store.account_sid, "auth_token": self.store.auth_token}

    def routes(self) -> Iterable[web.RouteDef]:
        """Yield every path in the short form and, where there is one, in the service form."""
        tables: list[tuple[str, Mapping[str, Reply], Mapping[str, Reply]]] = [
            ("GET", found_in(ONE_FORM), found_in(BOTH_FORMS)),
            ("POST", writes.POST_ONE_FORM, writes.POST_BOTH_FORMS),
            ("DELETE", writes.DELETE_ONE_FORM, writes.DELETE_BOTH_FORMS),
        ]
        for method, one_form, both_forms in tables:
            for path, reply in (*one_form.items(), *both_forms.items()):
                yield self._route(method, f"/v1/{path}", reply)
            for path, reply in both_forms.items():
                yield self._route(method, f"/v1/Services/{{service}}/{path}", reply)
        for (method, path), reply in files.ROUTES.items():
            yield self._route(method, f"/v1/{path}", reply)
        yield web.get(pattern(f"{files.TEMPORARY}{{media}}"), self._temporary)

    def _route(self, method: str, path: str, reply: Reply) -> web.RouteDef:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                response = self._answer(request, await request.read(), path, reply)
            except errors.RefusedError as refused:
                raise errors.api_error(refused, self.switches, self._refused(refused)) from refused
            response.headers.update(self._headers())
            return response

        return web.route(method, pattern(path), handle)

    def _answer(
        self, request: web.Request, body: bytes, path: str, reply: Reply
    ) -> web.StreamResponse:
        reading = request.method == "GET"
        if not reading:
            self.store.catch_up()
        call = self._call(request, body)
        self._check_rate(rates.counted_with(call, path))
        response = reply(call)
        if not reading and self.switches.write_answers == "fail":
            raise errors.RefusedError(500, errors.SERVER_ERROR, "Internal server error")
        return response

    def _check_rate(self, key: tuple[str, str] | None) -> None:
        limit = self.switches.write_rate
        if key is None or limit is None:
            return
        if not self.gate.take(key, limit, rates.WINDOW):
            raise errors.RefusedError(429, errors.TOO_MANY_REQUESTS, "Too Many Requests")

    async def _temporary(self, request: web.Request) -> web.StreamResponse:
        return files.temporary(self.store, request)

    def _call(self, request: web.Request, body: bytes) -> Call:
        service = request.match_info.get("service")
        if service is not None and by_sid(self.store.services, service) is None:
            raise errors.not_found(request.path)
        effective, shapes = service or self.store.default_service, self._shapes(request, service)
        return Call(request=request, service=effective, store=self.store, shapes=shapes, body=body)

    def _shapes(self, request: web.Request, service: str | None) -> Shapes:
        return Shapes(
            origin=f"{request.scheme}://{request.host}",
            service=service,
            store=self.store,
            switches=self.switches,
        )

    def _headers(self) -> dict[str, str]:
        """Return the headers that were seen on Twilio's hosts (section 6)."""
        return {
            "Twilio-Request-Id": f"RQ{self._requests.hex(32)}",
            "Twilio-Concurrent-Requests": "1",
            "Twilio-Request-Duration": "0.010",
        }

    def _refused(self, refusal: errors.RefusedError) -> dict[str, str]:
        headers = self._headers()
        if refusal.status == 429 and self.switches.retry_after == "seconds":
            headers["Retry-After"] = str(int(rates.WINDOW))
        return headers

    async def admit(self, request: web.Request) -> None:
        """Check HTTP Basic: the account with its token, or an API key with its secret."""
        if request.path.startswith(files.TEMPORARY):
            return
        store = self.store
        known = {store.account_sid: store.auth_token, store.key_sid: store.key_secret}
        name, secret = basic_credentials(request.headers.get("Authorization", ""))
        if not name or known.get(name) != secret:
            stranger = errors.RefusedError(401, errors.BAD_CREDENTIALS, "Authenticate")
            raise errors.api_error(stranger, self.switches, self._headers())

    def missing_route(self, request: web.Request, status: int) -> web.Response:
        """Answer a path or a method that is not there."""
        if status == 405:
            return self._no(
                errors.RefusedError(status, errors.NO_SUCH_METHOD, "Method not allowed")
            )
        return self._no(errors.not_found(request.path))

    def _no(self, refused: errors.RefusedError) -> web.Response:
        return refusal(errors.api_error(refused, self.switches, self._headers()))

    def failure(self, status: int) -> web.Response:
        """Answer in Twilio's shape, with a code made as that of 429 is (section 6)."""
        return self._no(errors.RefusedError(status, 20_000 + status, HTTPStatus(status).phrase))

    def expired(self, request: web.Request) -> web.Response | None:
        """Refuse a page token (section 6)."""
        if "PageToken" not in request.query:
            return None
        return self._no(errors.RefusedError(400, errors.BAD_PAGE_TOKEN, "Invalid page token"))

    def rows(self, body: Any) -> list[Any] | None:
        """Return what stands under the key that the meta block names."""
        return body.get(body["meta"]["key"]) if isinstance(body, dict) and "meta" in body else None

    def repeated(self, request: web.Request, body: Any) -> Any:
        """Let the next page be this one."""
        del request
        if not isinstance(body, dict) or "meta" not in body:
            return None
        return body | {"meta": body["meta"] | {"next_page_url": body["meta"]["url"]}}

    def vanish(self, request: web.Request, random: Random) -> bool:
        """Delete a message of the conversation whose messages are asked for."""
        found = self.store.conversations.get(request.match_info.get("conversation", ""))
        if found is None or not found.messages or not request.path.endswith("/Messages"):
            return False
        self.store.remove_message(found, random.choice(found.messages)["sid"])
        return True

    def conversation_ids(self) -> list[str]:
        """Return the default service's conversations, newest first."""
        found = self.store.of(self.store.default_service)
        return [one.sid for one in sorted(found, key=by_creation, reverse=True)]

    def message_ids(self, conversation: str) -> list[str]:
        """Return a conversation's messages by index."""
        return [one["sid"] for one in self.store.conversations[conversation].messages]

    def participant_ids(self, conversation: str) -> list[str]:
        """Return a conversation's participants in list order."""
        people = self.store.conversations[conversation].participants
        return [one["sid"] for one in sorted(people, key=by_date)]

    def messages_of(self, conversation: str) -> list[Record]:
        """Return a conversation's messages by index as the short form answers them."""
        shapes = Shapes(origin=GENERIC, service=None, store=self.store, switches=self.switches)
        return [shapes.message(one) for one in self.store.conversations[conversation].messages]

    def add_conversation(self) -> str:
        """Begin an empty conversation."""
        return self.store.add_conversation(friendly_name=self._words.topic()).sid

    def add_message(self, conversation: str) -> str:
        """Append a message by the system."""
        found = self.store.conversations[conversation]
        return str(self.store.add_message(found, body=self._words.text())["sid"])

    def edit_message(self, conversation: str, message: str) -> None:
        """Change the body of a message."""
        found = self.store.conversations[conversation]
        self.store.edit_message(found, message, body=f"{self._words.text()} (edited)")

    def remove_message(self, conversation: str, message: str) -> None:
        """Delete a message."""
        self.store.remove_message(self.store.conversations[conversation], message)


def basic_credentials(header: str) -> tuple[str, str]:
    """Return the name and the secret of HTTP Basic, empty if there are none."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
