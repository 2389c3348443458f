"""The front door, against the emulator."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from conversations_hub import (
    AmbiguousWriteError,
    AuthenticationError,
    Circuit,
    Clio,
    ConfigurationError,
    ConversationsHub,
    ConversationState,
    NotFoundError,
    PagingError,
    Ref,
    StatusError,
    Sunshine,
    TranslationError,
    Twilio,
    UnsupportedError,
)
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS
from support import ids


async def test_conversations_of_all_providers_come_in_one_loop(emulator, hub):
    found = {}
    async for conversation in hub.conversations():
        found.setdefault(conversation.ref.provider, []).append(conversation.ref.id)
    assert {name: sorted(them) for name, them in found.items()} == {
        name: sorted(emulator[name].conversation_ids()) for name in PROVIDERS
    }


async def test_some_providers_can_be_named(hub):
    by_name = {c.ref.provider async for c in hub.conversations("clio", "twilio", limit=40)}
    by_class = {c.ref.provider async for c in hub.conversations(Clio, hub["twilio"], limit=40)}
    assert by_name == by_class == {"clio", "twilio"}


async def test_a_filter_means_the_same_everywhere(hub):
    moment = datetime(2026, 1, 20, tzinfo=UTC)
    everything = await hub.conversations().collect(limit=None)
    after = await hub.conversations(created_after=moment).collect(limit=None)
    before = await hub.conversations(created_before=moment).collect(limit=None)
    silent = {c.ref for c in everything if c.created_at is None}
    told = [c for c in everything if c.created_at]
    assert {c.ref for c in after} == silent | {c.ref for c in told if c.created_at >= moment}
    assert {c.ref for c in before} == silent | {c.ref for c in told if c.created_at < moment}
    assert after
    assert before
    updated = await hub.conversations(updated_after=moment).collect(limit=None)
    assert {c.ref for c in updated} == {
        c.ref for c in everything if c.updated_at is None or c.updated_at >= moment
    }


async def test_a_filter_that_one_provider_cannot_be_asked_for_is_refused_at_the_call(hub):
    with pytest.raises(UnsupportedError, match=r"(sunshine|circuit)\.conversations"):
        hub.conversations(state=ConversationState.OPEN)
    states = {c.state async for c in hub.conversations(Twilio, Clio, state=ConversationState.OPEN)}
    assert states == {ConversationState.OPEN}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_since_and_until_are_half_open(emulator, hub, name):
    longest = max(
        emulator[name].conversation_ids(), key=lambda c: len(emulator[name].message_ids(c))
    )
    ref = Ref(name, longest)
    everything = await hub.messages(ref).collect(limit=None)
    times = sorted({m.sent_at for m in everything})
    start, end = times[len(times) // 3], times[2 * len(times) // 3]
    some = await hub.messages(ref, since=start, until=end).collect(limit=None)
    assert ids(some) == ids(m for m in everything if start <= m.sent_at < end)
    assert 0 < len(some) < len(everything)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_orders_are_each_others_reverse(emulator, hub, name):
    ref = Ref(name, emulator[name].conversation_ids()[0])
    oldest = await hub.messages(ref, order="oldest").collect(limit=None)
    newest = await hub.messages(ref, order="newest").collect(limit=None)
    assert [m.sent_at for m in oldest] == [m.sent_at for m in reversed(newest)]
    assert sorted(ids(oldest)) == sorted(emulator[name].message_ids(ref.id))
    with pytest.raises(ConfigurationError, match="order must be"):
        hub.messages(ref, order="random")


@pytest.mark.parametrize("name", PROVIDERS)
async def test_one_conversation_is_the_same_as_in_the_list(emulator, hub, name):
    (first,) = await hub.conversations(name, limit=1).collect(limit=1)
    assert await hub.conversation(first.ref) == first
    assert await hub.conversation(str(first.ref)) == first


@pytest.mark.parametrize("name", PROVIDERS)
async def test_one_message_is_the_same_as_in_the_list(emulator, hub, name):
    conversation = next(
        c for c in emulator[name].conversation_ids() if emulator[name].message_ids(c)
    )
    (first,) = await hub.messages(Ref(name, conversation), limit=1).collect(limit=1)
    if "message" not in hub[name].capabilities:
        with pytest.raises(UnsupportedError, match=f"{name}.message"):
            hub.message(Ref(name, conversation), first.ref.id)
        return
    assert await hub.message(Ref(name, conversation), first.ref.id) == first


@pytest.mark.parametrize("name", PROVIDERS)
async def test_people_are_listed(emulator, hub, name):
    for conversation in emulator[name].conversation_ids()[:5]:
        people = await hub.participants(Ref(name, conversation)).collect(limit=None)
        assert ids(people) == emulator[name].participant_ids(conversation)
        assert {p.conversation for p in people} <= {Ref(name, conversation)}


async def test_providers_are_found_by_class_and_by_name(hub):
    assert hub[Circuit] is hub["circuit"]
    assert isinstance(hub[Sunshine], Sunshine)
    assert list(hub.providers) == list(PROVIDERS)
    with pytest.raises(ConfigurationError, match="no provider is called 'slack'; this hub has twi"):
        hub["slack"]
    with pytest.raises(ConfigurationError, match="no provider is a Twilio; this hub has none"):
        ConversationsHub()[Twilio]


def test_two_accounts_of_one_provider_have_two_names():
    one, two = (Clio(token="t", name=name) for name in ("firm", "other"))
    hub = ConversationsHub(one, two)
    assert hub["firm"] == one
    with pytest.raises(ConfigurationError, match="ask by name, 'firm', 'other'"):
        hub[Clio]
    with pytest.raises(ConfigurationError, match="another name="):
        ConversationsHub(one, one)


async def test_recipes_of_the_hubs_providers_are_awaited_and_iterated(emulator, hub):
    conversation = await hub[Clio].conversation(Ref("clio", emulator["clio"].conversation_ids()[0]))
    assert conversation.ref.provider == "clio"
    names = [c.ref.provider async for c in hub[Twilio].conversations(page_size=5)]
    assert len(names) == len(emulator["twilio"].conversation_ids())


async def test_recipes_made_elsewhere_are_handed_to_the_hub(emulator, hub):
    twilio = Twilio(base_url=emulator.base_url("twilio"), **emulator["twilio"].arguments)
    one = twilio.conversations(page_size=5)
    first = await anext(hub.iterate(one))
    assert await hub.run(twilio.conversation(first.ref)) == first
    with pytest.raises(ConfigurationError, match="no provider 'other'"):
        await hub.run(Twilio(account_sid="AC", auth_token="t", name="other").conversation(
            Ref("other", "CH")
        ))  # fmt: skip


@pytest.mark.parametrize("ref", ["", "nonsense", "slack:1", "twilio", 5, None])
def test_a_wrong_ref_is_refused_at_the_call(ref):
    hub = ConversationsHub(Clio(token="t"))
    with pytest.raises(ConfigurationError):
        hub.messages(ref)
    with pytest.raises(ConfigurationError):
        hub[ref]


async def test_a_participant_may_be_a_ref_in_text(emulator, hub):
    user = emulator["sunshine"].settings["user_ids"][0]
    refs = {c.ref async for c in hub.conversations(Sunshine, participant=Ref("sunshine", user))}
    assert refs == {
        c.ref async for c in hub.conversations(Sunshine, participant=f"sunshine:{user}")
    }
    assert refs


def test_a_hub_without_providers_says_so():
    with pytest.raises(ConfigurationError, match="no providers"):
        ConversationsHub().conversations()


def test_a_hub_comes_from_the_environment():
    hub = ConversationsHub.from_env({"CLIO_ACCESS_TOKEN": "t", "CIRCUIT_TOKEN": "t"})
    assert list(hub.providers) == ["clio", "circuit"]
    with pytest.raises(ConfigurationError, match="TWILIO_ACCOUNT_SID"):
        ConversationsHub.from_env({})
    with pytest.raises(ConfigurationError, match="auth_token"):
        ConversationsHub.from_env({"TWILIO_ACCOUNT_SID": "AC"})


@pytest.mark.parametrize("name", PROVIDERS)
async def test_wrong_credentials_are_told_with_a_remedy(emulator, name):
    arguments = emulator[name].arguments | {
        secret: "wrong-secret" for secret in ("auth_token", "secret", "token")
        if secret in emulator[name].arguments
    }  # fmt: skip
    provider = type(emulator.hub()[name])(base_url=emulator.base_url(name), **arguments)
    async with ConversationsHub(provider) as hub:
        with pytest.raises(AuthenticationError, match="check the credentials") as caught:
            await anext(hub.conversations())
    assert (caught.value.provider, caught.value.operation) == (name, "conversations")
    assert caught.value.status == 401
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_is_not_there_is_told_with_a_remedy(hub, name):
    with pytest.raises(StatusError) as caught:
        await hub.conversation(Ref(name, "123456"))
    assert (caught.value.provider, caught.value.operation) == (name, "conversation")
    # Circuit answers 400 where others answer 404.
    assert isinstance(caught.value, NotFoundError) or caught.value.status == 400


HTML = web.Response


def answer(**kwargs):
    return lambda request: web.Response(**kwargs)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(
    ("intercept", "error"),
    [
        pytest.param(
            answer(text="<p>Hi</p>", content_type="text/html"), TranslationError, id="html"
        ),
        pytest.param(answer(text="{", content_type="application/json"), TranslationError, id="cut"),
        pytest.param(answer(text='"x"', content_type="text/plain"), TranslationError, id="no list"),
        pytest.param(answer(text="<p>no</p>", status=404), NotFoundError, id="html 404"),
        pytest.param(
            answer(status=302, headers={"Location": "https://evil.test/"}),
            StatusError,
            id="redirect",
        ),
    ],
)
async def test_a_malformed_answer_is_a_typed_error_and_the_pager_goes_on(name, intercept, error):
    async with Emulator(seed=3, scale=0.1, only=[name]) as emulator, emulator.hub() as hub:
        pager = hub.conversations(page_size=3, prefetch=0)
        first = [(await anext(pager)).ref.id]
        emulator.servers[name].intercept = intercept
        with pytest.raises(error) as caught:
            while True:
                first.append((await anext(pager)).ref.id)
        assert caught.value.provider == name
        assert caught.value.operation == "conversations"
        emulator.servers[name].intercept = None
        rest = []
        while True:
            try:
                rest.append((await anext(pager)).ref.id)
            except StopAsyncIteration:
                break
            except error:  # of a list that was read at the same time
                continue
        assert set(first + rest) == set(emulator[name].conversation_ids())
        assert len(first + rest) == len(set(first + rest))


async def test_a_provider_that_fails_does_not_stop_the_others(emulator, hub):
    emulator.servers["clio"].intercept = answer(status=403, text="no")
    pager = hub.conversations(on_error="continue")
    found = {c.ref.provider async for c in pager}
    assert found == set(PROVIDERS) - {"clio"}
    assert [(e.provider, e.status) for e in pager.errors] == [("clio", 403)]


async def test_a_conversation_that_users_share_comes_once(emulator, hub):
    found = ids([c async for c in hub.conversations(Sunshine)])
    assert len(found) == len(set(found))
    assert len(emulator["sunshine"].settings["user_ids"]) > 1
    saved = None
    pager = hub.conversations(Sunshine, page_size=1)
    first = []
    for _ in range(9):
        first.append((await anext(pager)).ref.id)
        saved = pager.checkpoint()
    rest = ids([c async for c in hub.resume(saved)])
    assert sorted(first + rest) == sorted(found)


async def test_hostile_next_links_get_no_request(emulator, hub):
    """Nothing leaves for a host that an answer names."""
    async with (
        Emulator(
            seed=3,
            scale=0.2,
            switches={"twilio": {"next_page_url": "foreign"}, "clio": {"next_link": "foreign"}},
        ) as hostile,
        hostile.hub() as other,
    ):
        for name in ("twilio", "clio"):
            pager = other.conversations(name, page_size=2)
            with pytest.raises(PagingError, match="next link leads to"):
                await anext(pager)


@pytest.mark.parametrize("wrong", [None, 7, "x", [], Ref("twilio", "1")])
async def test_what_is_no_recipe_is_named(hub, wrong):
    with pytest.raises(ConfigurationError, match="call must be a Call, not "):
        await hub.run(wrong)
    with pytest.raises(ConfigurationError, match="listing must be a Listing, not "):
        hub.iterate(wrong)
    with pytest.raises(ConfigurationError, match="attachment must be an Attachment, not "):
        hub.download(wrong)
    with pytest.raises(ConfigurationError, match="is not a provider; hand over objects"):
        ConversationsHub(wrong)


@pytest.mark.parametrize("who", ["twilio", "twilio:"])
async def test_a_participant_may_be_called_like_a_provider(hub, who):
    assert await hub.conversations(Twilio, participant=who).collect(limit=None) == []


async def test_a_limit_is_a_number(hub):
    with pytest.raises(ConfigurationError, match="limit must be a number"):
        await hub.conversations().collect(limit="7")


@pytest.mark.parametrize("name", PROVIDERS)
async def test_without_raw_everything_else_is_the_same(name):
    """For what lists hold, for pages, and for a thing that is fetched alone."""

    async def seen(hub):
        conversations = await hub.conversations().collect(limit=None)
        items, pages = [], []
        while not items:
            here = conversations[len(pages)].ref
            pages += [page async for page in hub.messages(here).pages()] or [None]
            items = [message for page in pages if page for message in page.items]
        people = await hub.participants(here).collect(limit=None)
        alone = [await hub.conversation(here)]
        if "message" in hub[name].capabilities:
            alone.append(await hub.message(here, items[0].ref.id))
        return [*conversations, *people, *items, *alone], [page.raw for page in pages if page]

    async with (
        Emulator(seed=3, scale=0.1, only=[name]) as emulator,
        emulator.hub() as hub,
        emulator.hub(keep_raw=False) as bare,
    ):
        kept, raws = await seen(hub)
        left, no_raws = await seen(bare)
        assert left == kept
        assert all(item.raw for item in kept)
        assert [item.raw for item in left] == [None] * len(kept)
        assert no_raws == [None] * len(raws)


async def test_without_raw_what_turns_out_to_have_been_written_has_none():
    async with Emulator(only=["twilio"]) as emulator, emulator.hub(keep_raw=False) as hub:
        where = (await hub.create(Twilio, title="Boiler visit")).ref
        server = emulator.servers["twilio"]
        server.alter = lambda request, answer: request.transport.abort()
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub.send(where, "Two doors down")
        server.alter = None
        outcome = await caught.value.reconcile
    assert outcome.value.text == "Two doors down"
    assert outcome.value.raw is None
