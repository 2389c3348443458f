"""What users type, checked by the type checkers and never run."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, assert_type

from conversations_hub import (
    Circuit,
    Clio,
    Conversation,
    ConversationsHub,
    Message,
    Page,
    Pager,
    Participant,
    Provider,
    Ref,
    Twilio,
)


async def hub_members(hub: ConversationsHub) -> None:
    """Check what the hub's members are."""
    ref = Ref("clio", "42")
    assert_type(hub.conversations(), Pager[Conversation])
    assert_type(hub.messages(ref), Pager[Message])
    assert_type(hub.participants(ref), Pager[Participant])
    assert_type(await hub.conversation(ref), Conversation)
    assert_type(await hub.message(ref, "1"), Message)
    assert_type(hub[Clio], Clio)
    assert_type(hub["clio"], Provider)
    assert_type(hub.providers, Mapping[str, Provider])


async def recipes(hub: ConversationsHub, twilio: Twilio) -> None:
    """Check what a provider's recipes give."""
    ref = Ref("twilio", "CH")
    assert_type(await hub[Twilio].conversation(ref), Conversation)
    assert_type(await hub.run(twilio.message(ref, "IM")), Message)
    assert_type(hub.iterate(twilio.messages(ref)), Pager[Message])
    async for community in hub[Circuit].communities():
        assert_type(community, Conversation)


async def pagers(pager: Pager[Message]) -> None:
    """Check what a pager gives."""
    async with pager as opened:
        assert_type(opened, Pager[Message])
    async for message in pager:
        assert_type(message, Message)
    assert_type(pager.pages(), AsyncIterator[Page[Message]])
    assert_type(await pager.collect(limit=10), list[Message])
    assert_type(pager.checkpoint(), dict[str, Any])
