"""What users type, checked by the type checkers and never run."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, assert_type

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    Bulk,
    Circuit,
    Clio,
    Conversation,
    ConversationsHub,
    Event,
    Message,
    Outcome,
    Page,
    Pager,
    Participant,
    Provider,
    Ref,
    Result,
    Twilio,
    Upload,
)
from conversations_hub.observing import RequestEnded
from conversations_hub.telemetry import OpenTelemetry


async def hub_members(hub: ConversationsHub) -> None:
    """Check what the hub's members are."""
    ref = Ref("clio", "42")
    assert_type(hub.conversations(), Pager[Conversation])
    assert_type(hub.messages(ref), Pager[Message])
    assert_type(hub.messages(ref, parallel=8), Pager[Message])
    assert_type(hub.participants(ref), Pager[Participant])
    assert_type(await hub.conversation(ref), Conversation)
    assert_type(await hub.message(ref, "1"), Message)
    assert_type(hub[Clio], Clio)
    assert_type(hub["clio"], Provider)
    assert_type(hub.providers, Mapping[str, Provider])


async def writes(hub: ConversationsHub) -> None:
    """Check what writes give."""
    ref = Ref("clio", "42")
    assert_type(await hub.send(ref, "hi", attachments=[b"", Upload(b"", name="a")]), Message)
    assert_type(await hub.edit(ref, "1", text="hi"), Message)
    await hub.delete_message(ref, "1")
    assert_type(await hub.create(Clio, title="hi", participants=["contact/1"]), Conversation)
    assert_type(await hub.update(ref, title="hi"), Conversation)
    assert_type(await hub.archive(ref), Conversation)
    assert_type(await hub.unarchive(ref), Conversation)
    assert_type(await hub.close(ref), Conversation)
    await hub.delete(ref)
    assert_type(await hub.add_participant(ref, "ann"), Participant)
    await hub.remove_participant(ref, "ann")
    await hub.mark_read(ref)
    async for chunk in hub.download(Attachment(url="/x"), provider=ref):
        assert_type(chunk, bytes)
    assert_type(await hub.download(Attachment(url="/x")).read(), bytes)


async def bulks(hub: ConversationsHub, refs: list[Ref]) -> None:
    """Check what bulk fetching gives."""
    assert_type(hub.fetch(refs, concurrency=8, ordered=True), Bulk[Any, Any])
    assert_type(hub.fetch_messages(hub.conversations()), Bulk[Ref, list[Message]])
    async with hub.fetch_participants(refs, on_error="raise") as people:
        async for result in people:
            assert_type(result, Result[Ref, list[Participant]])
            assert_type(result.value, list[Participant] | None)


async def ambiguity(error: AmbiguousWriteError) -> None:
    """Check what finds out what became of a write."""
    if error.reconcile is not None:
        assert_type(await error.reconcile, Outcome[Any])


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


def observers(event: Event) -> None:
    """Check what a hub takes as observers."""
    ConversationsHub(observer=observers)
    ConversationsHub(observer=OpenTelemetry())
    ConversationsHub(observer=[observers, OpenTelemetry()])
    assert_type(event.provider, str | None)
    if isinstance(event, RequestEnded):
        assert_type(event.status, int | None)
