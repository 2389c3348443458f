"""Control: which of the switchboard's integrations answers in a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conversations_hub.models import Conversation, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.sunshine.account import given
from conversations_hub.providers.sunshine.contents import told
from conversations_hub.providers.sunshine.conversations import Conversations
from conversations_hub.reading import nothing
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.writing import after

ACTIVE, PENDING = "activeSwitchboardIntegration", "pendingSwitchboardIntegration"
NEXT = "next"


class Switchboard(Conversations):
    """Operations on the control of conversations."""

    __slots__ = ()

    @operation
    def pass_control(
        self, conversation: Ref, integration: str, *, metadata: Mapping[str, Any] | None = None
    ) -> Call[None]:
        """Pass control to an integration: `POST /conversations/{conversationId}/passControl`.

        `integration` is a switchboard integration's id, name or type, or `next`; who came next,
        nobody can tell after a cut call.
        """
        return self._control(
            conversation,
            "passControl",
            given(switchboardIntegration=integration, metadata=metadata),
            lambda c: None if integration == NEXT else _is_called(c, ACTIVE, integration),
        )

    @operation
    def offer_control(
        self, conversation: Ref, integration: str, *, metadata: Mapping[str, Any] | None = None
    ) -> Call[None]:
        """Offer control to an integration: `POST /conversations/{conversationId}/offerControl`.

        `integration` is as for `pass_control`. An earlier offer is withdrawn.
        """

        def offered(conversation: Conversation) -> bool | None:
            if integration == NEXT or _is_called(conversation, ACTIVE, integration):
                return None  # it may have accepted
            return _is_called(conversation, PENDING, integration)

        body = given(switchboardIntegration=integration, metadata=metadata)
        return self._control(conversation, "offerControl", body, offered)

    @operation
    def accept_control(
        self, conversation: Ref, *, metadata: Mapping[str, Any] | None = None
    ) -> Call[None]:
        """Accept the offer of control: `POST /conversations/{conversationId}/acceptControl`.

        After a cut call, an offer that is still there was not accepted; that there is none any
        more says nothing.
        """
        return self._control(
            conversation,
            "acceptControl",
            given(metadata=metadata),
            lambda c: False if _has(c, PENDING) else None,
        )

    @operation
    def release_control(
        self, conversation: Ref, *, metadata: Mapping[str, Any] | None = None
    ) -> Call[None]:
        """Release control: `POST /conversations/{conversationId}/releaseControl`."""
        return self._control(
            conversation,
            "releaseControl",
            given(metadata=metadata),
            lambda c: not (_has(c, ACTIVE) or _has(c, PENDING)),
        )

    def _control(
        self,
        conversation: Ref,
        action: str,
        body: Mapping[str, Any],
        done: Callable[[Conversation], bool | None],
    ) -> Call[None]:
        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return after(self.conversation(conversation), lambda c: Outcome(happened=done(c)))

        return Call(
            request=self._change(
                "POST", "conversations", self.id_of(conversation), action, json=body
            ),
            read=nothing,
            reconcile=reconcile,
        )


def _has(conversation: Conversation, state: str) -> bool:
    return bool(told(conversation).get(state))


def _is_called(conversation: Conversation, state: str, name: str) -> bool:
    found = told(conversation).get(state) or {}
    return name in {found.get(key) for key in ("id", "name", "integrationType")}
