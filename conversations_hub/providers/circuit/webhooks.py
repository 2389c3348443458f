"""Circuit's webhooks: events it sends, and ways to write without a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from conversations_hub import values
from conversations_hub.errors import PagingError
from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.circuit.account import Account
from conversations_hub.providers.circuit.outcomes import Reconcile, found_in, not_before
from conversations_hub.providers.circuit.reader import EMPTY
from conversations_hub.providers.circuit.values import WORDS, IncomingWebhook, WebHook
from conversations_hub.reading import Answer, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import QueryValue, Request
from conversations_hub.writing import compared, find, gone

FULL = "full"


@frozen
class NoWayOn:
    """The answer is the whole list, unless it is full: there is no pointer to go on with.

    What it shows is delivered before that is an error.
    """

    reads: tuple[str, ...] = ()

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:
        """End here, or lead to where it is said that this may not be all."""
        if answer.count < int(request.query["pagesize"]):
            return None
        if FULL in request.note:
            raise PagingError(
                f"Circuit shows {answer.count} incoming webhooks and no way to the others"
            )
        return request.with_note(**{FULL: True})


@frozen(kw_only=True, repr=False)
class SecretPlace(Request):
    """A request whose path lets anybody write who knows it; errors do without its end."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method} {self.place})"

    @property
    def place(self) -> str:
        """The URL up to the secret."""
        return f"{self.url.parent}/***"


HOOK = values.value(WebHook, WORDS)
HOOKS = values.values(WebHook, WORDS, None, blank=EMPTY)
INCOMING = values.value(IncomingWebhook, WORDS)
ALL_INCOMING = values.values(IncomingWebhook, WORDS, None, NoWayOn(), blank=EMPTY)


class Webhooks(Account):
    """Webhooks of the user, in both directions."""

    __slots__ = ()

    @operation
    def webhooks(self) -> Listing[WebHook]:
        """List the user's webhooks: `GET /webhooks`."""
        return Listing(request=self.get("webhooks"), read=HOOKS)

    @operation
    def webhook(self, id: str) -> Call[WebHook]:  # noqa: A002
        """Fetch a webhook: `GET /webhooks/{id}`."""
        return Call(request=self.get("webhooks", id), read=HOOK)

    @operation
    def create_webhook(self, url: str, filter: Iterable[str]) -> Call[WebHook]:  # noqa: A002
        """Create a webhook for events: `POST /webhooks`.

        `filter` is any of CONVERSATION.CREATE, CONVERSATION.UPDATE, CONVERSATION.ADD_ITEM,
        CONVERSATION.UPDATE_ITEM, USER.INCOMING_CALL, USER.USER_UPDATED, USER.USER_SETTING_UPDATED
        and USER.SUBMIT_FORM_DATA. Events are not signed: put a secret into the address.
        """
        events = _several(filter)
        return Call(
            request=self.ask("POST", "webhooks", form={"url": url, "filter": events}),
            read=HOOK,
            reconcile=self._was_registered(lambda hook: _is(hook, url, events, None)),
        )

    @operation
    def update_webhook(
        self,
        id: str,  # noqa: A002
        *,
        url: str | None = None,
        filter: Iterable[str] | None = None,  # noqa: A002
    ) -> Call[WebHook]:
        """Change a webhook's address or events: `PUT /webhooks/{id}`."""
        events = None if filter is None else _several(filter)
        return Call(
            request=self.ask("PUT", "webhooks", id, form={"url": url, "filter": events}),
            read=HOOK,
            reconcile=compared(self.webhook(id), lambda hook: _is(hook, url, events, None)),
        )

    @operation
    def delete_webhook(self, id: str) -> Call[None]:  # noqa: A002
        """Delete a webhook: `DELETE /webhooks/{id}`."""
        return Call(
            request=self.ask("DELETE", "webhooks", id),
            read=nothing,
            reconcile=gone(self.webhook(id)),
        )

    @operation
    def delete_webhooks(self) -> Call[None]:
        """Delete all the user's webhooks, those of other programs too: `DELETE /webhooks`."""

        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return find(self.webhooks(), lambda _: True, lambda one: Outcome(happened=one is None))

        return Call(request=self.ask("DELETE", "webhooks"), read=nothing, reconcile=reconcile)

    @operation
    def create_presence_webhook(self, url: str, user_ids: Iterable[Ref | str]) -> Call[WebHook]:
        """Create a webhook for the presence of users: `POST /webhooks/presence`."""
        ids = self.ids_from(user_ids)
        return Call(
            request=self.ask("POST", "webhooks", "presence", form={"url": url, "userIds": ids}),
            read=HOOK,
            reconcile=self._was_registered(lambda hook: _is(hook, url, None, ids)),
        )

    @operation
    def update_presence_webhook(
        self,
        id: str,  # noqa: A002
        *,
        url: str | None = None,
        user_ids: Iterable[Ref | str] | None = None,
    ) -> Call[WebHook]:
        """Change a presence webhook's address or users: `PUT /webhooks/presence/{id}`."""
        ids = None if user_ids is None else self.ids_from(user_ids)
        return Call(
            request=self.ask("PUT", "webhooks", "presence", id, form={"url": url, "userIds": ids}),
            read=HOOK,
            reconcile=compared(self.webhook(id), lambda hook: _is(hook, url, None, ids)),
        )

    # Ways in.

    @operation
    def incoming_webhooks(
        self, user: Ref | str, *, page_size: int | None = None
    ) -> Listing[IncomingWebhook]:
        """List a user's incoming webhooks: `GET /webhooks/incoming/user/{userId}`.

        Circuit shows `page_size`, 100 at most, and gives no pointer to the others; after a full
        list comes a `PagingError`.
        """
        query = {"pagesize": self.page_size("incoming_webhooks", page_size)}
        return Listing(
            request=self.get("webhooks", "incoming", "user", self.id_from(user), query=query),
            read=ALL_INCOMING,
        )

    @operation
    def create_incoming_webhook(
        self,
        conversation: Ref | str,
        *,
        name: str | None = None,
        user: Ref | str | None = None,
        description: str | None = None,
    ) -> Call[IncomingWebhook]:
        """Create an incoming webhook: `POST /webhooks/incoming/create/{conversationId}`.

        What comes in is written in the name of `user`, or else of the one who asks.
        """
        id_, author = self.id_from(conversation), None if user is None else self.id_from(user)
        query: dict[str, QueryValue] = {"name": name, "userId": author, "description": description}

        def same(hook: IncomingWebhook, attempt: Attempt) -> bool:
            said = (hook.conversation_id, hook.name or "", hook.description or "")
            return said == (id_, name or "", description or "") and not_before(
                hook.creation_time, attempt
            )

        def look(me: str, attempt: Attempt) -> Call[Outcome[IncomingWebhook]]:
            return found_in(self.incoming_webhooks(author or me), same)(attempt)

        return Call(
            request=self.ask("POST", "webhooks", "incoming", "create", id_, query=query),
            read=INCOMING,
            reconcile=lambda attempt: self.as_me(lambda me: look(me, attempt)),
        )

    @operation
    def delete_incoming_webhook(self, webhook_id: str) -> Call[None]:
        """Delete an incoming webhook: `DELETE /webhooks/incoming/{webhookId}`.

        One of another user's cannot be looked for, so that `reconcile` may not be able to tell.
        """

        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return self.as_me(
                lambda me: find(
                    self.incoming_webhooks(me),
                    lambda hook: hook.webhook_id == webhook_id,
                    lambda one: Outcome(happened=None if one is None else False),
                )
            )

        return Call(
            request=self._way_in("DELETE", webhook_id),
            read=nothing,
            reconcile=reconcile,
        )

    @operation
    def post_to_webhook(
        self,
        webhook_id: str,
        text: str | None = None,
        *,
        subject: str | None = None,
        markdown: bool | None = None,
        file_url: str | None = None,
        filename: str | None = None,
    ) -> Call[None]:
        """Post through an incoming webhook: `POST /webhooks/incoming/{webhookId}`.

        `text` is markup, with `markdown` also `*bold*` and `_italic_`. Circuit does not say what
        was written, so that nothing finds out what became of it.
        """
        form = {
            "text": text,
            "subject": subject,
            "markdown": markdown,
            "fileURL": file_url,
            "filename": filename,
        }
        return Call(request=self._way_in("POST", webhook_id, form), read=nothing)

    def _way_in(
        self, method: str, webhook_id: str, form: Mapping[str, QueryValue] | None = None
    ) -> Request:
        request = self.ask(method, "webhooks", "incoming", webhook_id, form=form)
        return SecretPlace(
            method=method, url=request.url, headers=request.headers, body=request.body
        )

    def _was_registered(self, same: Any) -> Reconcile[WebHook]:
        return found_in(
            self.webhooks(), lambda hook, at: same(hook) and not_before(hook.creation_time, at)
        )


def _several(words: Iterable[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)


def _is(
    hook: WebHook, url: str | None, events: list[str] | None, user_ids: list[str] | None
) -> bool:
    """Tell whether a webhook has what was asked for."""
    return (
        (url is None or hook.url == url)
        and (events is None or set(hook.filter) == set(events))
        and (user_ids is None or set(hook.subscription_ids) == set(user_ids))
    )
