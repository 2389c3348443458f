"""Circuit's conversations and communities, as the user finds them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from conversations_hub import values
from conversations_hub.errors import StatusError
from conversations_hub.models import Conversation, ConversationState, Ref
from conversations_hub.paging import SinglePage
from conversations_hub.provider import all_of, between, operation
from conversations_hub.providers.circuit import payloads, translate
from conversations_hub.providers.circuit.account import Account
from conversations_hub.providers.circuit.hidden_order import HiddenOrder, without_answer
from conversations_hub.providers.circuit.lists import BY_LABEL, Communities, Held
from conversations_hub.providers.circuit.paging import EPOCH
from conversations_hub.providers.circuit.reader import EMPTY, TimeReader
from conversations_hub.providers.circuit.values import WORDS, JoinDetails, SearchResult
from conversations_hub.providers.circuit.windows import Times, oldest
from conversations_hub.raw import Raw
from conversations_hub.reading import Paging, Record, Records
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import QueryValue, Request, Response

DETAILS = values.value(JoinDetails, WORDS)
DETAILS_OF_SEVERAL = values.values(JoinDetails, WORDS, None, blank=EMPTY)
MATCHES = Held(values.values(SearchResult, WORDS, "matchingConversations"))


NOT_READABLE = (400, 403, 404)
"""How Circuit refuses to show what somebody is not, or is no longer, in."""


class Conversations(Account):
    """Lists and look-ups of conversations."""

    __slots__ = ()

    @operation
    def conversations(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List the user's conversations, the last modified first: `GET /conversations`."""
        if state is not None:
            raise self.unsupported("conversations", "Circuit's conversations have no state")
        if participant is not None:
            raise self.unsupported(
                "conversations",
                "`members` of its conversations may be cut short; list participants of each",
            )
        keep = all_of(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        first = self.get(
            "conversations", query={"results": self.page_size("conversations", page_size)}
        )
        rule = HiddenOrder(
            listing=first,
            items=self._newest_item,
            floor=floor(created_after, updated_after),
        )
        return Listing(
            request=first,
            read=TimeReader(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
                rule=rule,
            ),
            keep=keep,
            repeats=True,
            split=Times(first=first, rule=rule, scout=oldest(first)),
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch a conversation: `GET /conversations/{convId}`."""
        return Call(request=self.get("conversations", self.id_of(ref)), read=self.one_conversation)

    @operation
    def conversations_by_id(self, refs: Iterable[Ref | str]) -> Listing[Conversation]:
        """Fetch several conversations; unknown ids are left out: `GET /conversations/byIds`."""
        query = {"convIds": self.ids_from(refs)}
        return Listing(
            request=self.get("conversations", "byIds", query=query), read=self._several()
        )

    @operation
    def direct_conversation(self, participant: Ref | str) -> Call[Conversation | None]:
        """Fetch the direct conversation with a user, if there is one: `GET /conversations/direct`.

        Somebody is a user or an e-mail address.
        """

        def read(response: Response) -> Conversation | None:
            return self.one_conversation(response) if response.body.strip() else None

        def recover(error: StatusError) -> None:
            # What Circuit answers where there is none is not documented.
            if error.status != 404:
                raise error

        query = {"participant": self.id_from(participant)}
        return Call(
            request=self.get("conversations", "direct", query=query), read=read, recover=recover
        )

    @operation
    def communities(
        self,
        *,
        sort: str = "ALPHABETICALLY",
        order: str = "ASCENDING",
        include_own: bool = False,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List the communities that can be joined: `GET /conversations/community`.

        `sort` is ALPHABETICALLY, RECENT_ACTIVITY or POPULARITY, `order` ASCENDING or DESCENDING.
        Circuit shows 355 from either end; where there are more than both, the walk delivers
        those and ends with a `PagingError`. `include_own` adds the user's own.
        """
        query: dict[str, QueryValue] = {
            "sort": sort,
            "order": order,
            "includeOwn": include_own,
            "startIndex": 0,
            "results": self.page_size("communities", page_size),
        }
        return Listing(
            request=self.get("conversations", "community", query=query),
            read=self._several(Communities()),
            repeats=True,
            moving=True,
        )

    @operation
    def conversations_with_label(
        self, label_id: str, *, page_size: int | None = None
    ) -> Listing[Conversation]:
        """List the conversations with a label: `GET /conversations/label/{labelId}`."""
        query = {"pageSize": self.page_size("conversations_with_label", page_size)}
        return Listing(
            request=self.get("conversations", "label", label_id, query=query),
            read=Held(
                Records(
                    payload=payloads.Conversation,
                    items="conversationList",
                    translate=partial(translate.conversation, self.name),
                    paging=BY_LABEL,
                )
            ),
            repeats=True,
            moving=True,
        )

    @operation
    def favorites(self) -> Listing[Ref]:
        """List the user's favorites, by their refs alone: `GET /conversations/favorite`."""
        return Listing(
            request=self.get("conversations", "favorite"),
            read=Records(
                payload=str,
                items=None,
                translate=partial(_ref, self.name),
                paging=SinglePage(),
                blank=EMPTY,
            ),
        )

    @operation
    def search_conversations(
        self, term: str, *, scope: str = "ALL", include_item_ids: bool = False
    ) -> Listing[SearchResult]:
        """Search everything for a word: `GET /conversations/search`.

        `scope` is ALL, FILES, PEOPLE, MEMBERS, MESSAGES, SENTBY, CONVERSATIONS, LABEL or FILTER.
        Circuit gives 100 conversations and 100 item ids at most, and no way to the others.
        """
        query: dict[str, QueryValue] = {
            "term": term,
            "scope": scope,
            "includeItemIds": include_item_ids,
        }
        return Listing(request=self.get("conversations", "search", query=query), read=MATCHES)

    @operation
    def resolve_invitation(self, token: str) -> Call[Conversation]:
        """Fetch what an invitation leads to: `GET /conversations/resolveinvitetoken`."""
        return Call(
            request=self.get("conversations", "resolveinvitetoken", query={"token": token}),
            read=self.one_conversation,
        )

    @operation
    def join_details(self, conversation: Ref | str) -> Call[JoinDetails]:
        """Fetch how to join the calls: `GET /conversations/{convId}/conversationdetails`."""
        id_ = self.id_from(conversation)
        return Call(request=self.get("conversations", id_, "conversationdetails"), read=DETAILS)

    @operation
    def join_details_of(self, conversations: Iterable[Ref | str]) -> Listing[JoinDetails]:
        """Fetch several conversations' join details: `GET /conversations/conversationdetails`."""
        query = {"convIds": self.ids_from(conversations)}
        return Listing(
            request=self.get("conversations", "conversationdetails", query=query),
            read=DETAILS_OF_SEVERAL,
        )

    def instead(self, request: Request, error: StatusError) -> Request | None:
        """Go on without a conversation that cannot be read any more."""
        if error.status not in NOT_READABLE:
            return None
        return without_answer(self.get("conversations"), request)

    # What reading and writing share.

    def one_conversation(self, response: Response) -> Conversation:
        """Read an answer that is a conversation."""
        read = Record(
            payload=payloads.Conversation, translate=partial(translate.conversation, self.name)
        )
        return read(response)

    def _several(
        self, paging: Paging | None = None
    ) -> Records[payloads.Conversation, Conversation]:
        return Records(
            payload=payloads.Conversation,
            items=None,
            translate=partial(translate.conversation, self.name),
            paging=paging or SinglePage(),
            blank=EMPTY,
        )

    def _newest_item(self, conversation: str) -> Request:
        return self.get("conversations", conversation, "items", query={"results": 1})


def floor(*bounds: datetime | None) -> int | None:
    """Return where a walk may stop: what was modified before was created before, too."""
    given = [bound for bound in bounds if bound is not None]
    return max(((b - EPOCH) // timedelta(milliseconds=1) for b in given), default=None)


def _ref(provider: str, id_: str, raw: Raw | None) -> Ref:
    del raw
    return Ref(provider, id_)
