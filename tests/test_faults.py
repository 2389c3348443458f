"""The fault layer: every kind does what it says, by a seed or by a plan, and is logged."""

import gzip
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from aiohttp import web
from attrs import frozen

from conversations_hub import (
    ConfigurationError,
    CursorExpiredError,
    PagingError,
    Ref,
    TooLargeError,
)
from conversations_hub.emulator import FAULTS, Emulator, Faults
from conversations_hub.emulator.kinds import Means
from conversations_hub.providers import PROVIDERS

MEANS = Means(hang=30, size=1_000_000, elsewhere="http://elsewhere.test")
LINE = (aiohttp.ClientError, TimeoutError)
LISTS = {
    "twilio": "/v1/Conversations?PageSize=2",
    "clio": "/conversations?limit=2&order=id(asc)",
    "circuit": "/conversations?results=2",
}


class Asked:
    """What a provider answers to a client of no library, and whether it did what it was told."""

    def __init__(self, emulator, name):
        self.emulator, self.name = emulator, name
        self.server, self.settings = emulator.servers[name], emulator.settings()[name]
        self.acted = []
        self.server.intercept = self.acted.append

    @property
    def headers(self):
        one = self.settings
        if "token" in one:
            return {"Authorization": f"Bearer {one['token']}"}
        pair = (one.get("account_sid") or one["key_id"], one.get("auth_token") or one["secret"])
        return {"Authorization": f"Basic {b64encode(':'.join(pair).encode()).decode()}"}

    @property
    def list(self):
        if self.name != "sunshine":
            return LISTS[self.name]
        user = self.settings["user_ids"][0]
        path = f"/v2/apps/{self.settings['app_id']}/conversations"
        return f"{path}?filter[userId]={user}&page[size]=2"

    async def get(self, path=None, patience=0.3):
        url = self.emulator.base_url(self.name) + (path or self.list)
        limits = aiohttp.ClientTimeout(total=patience)
        async with (
            aiohttp.ClientSession(timeout=limits, headers=self.headers) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return answer, await answer.read()


@frozen(kw_only=True)
class Found:
    answer: object
    body: object
    acted: bool
    whole: bytes
    struck: list


async def ask(kind, name="clio"):
    """Ask once in peace, and once where a fault strikes."""
    # aiohttp asks once more itself where a line is cut.
    faults = Faults(plan=[None, kind, kind], means=MEANS)
    async with Emulator(seed=3, scale=0, only=[name], faults=faults) as emulator:
        asked = Asked(emulator, name)
        _, whole = await asked.get()
        asked.acted.clear()
        try:
            slow = kind in {"hang", "hang after", "drip"}
            answer, body = await asked.get(patience=0.3 if slow else 5)
        except LINE as error:
            answer, body = None, error
        acted = bool(asked.acted)
    return Found(answer=answer, body=body, acted=acted, whole=whole, struck=faults.struck)


@pytest.mark.parametrize("name", FAULTS)
async def test_every_kind_says_whether_the_api_acted(name):
    """Where one cannot strike, for there is no cursor in this request, all is well."""
    found = await ask(name)
    if name in {"expired", "repeated", "vanished"}:
        assert found.struck == []
        assert (found.answer.status, found.body, found.acted) == (200, found.whole, True)
    else:
        first = found.struck[0]
        assert (first.kind, first.provider, first.number) == (name, "clio", 1)
        assert (first.method, first.target) == ("GET", f"/api/v4{LISTS['clio']}")
        assert first.acted == found.acted == FAULTS[name].acts
    assert FAULTS[name].says.endswith(".")


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
async def test_a_failure_is_told_in_the_providers_shape(name, status):
    found = await ask(str(status), name)
    assert found.answer.status == status
    assert "Retry-After" not in found.answer.headers
    if found.answer.content_type == "application/json":
        assert json.loads(found.body)
    else:
        assert name == "clio"
        assert b"<html>" in found.body


@pytest.mark.parametrize("name", ["reset", "reset after", "half a head", "half a body"])
async def test_a_line_is_cut_at_once(name):
    error = (await ask(name)).body
    assert isinstance(error, aiohttp.ClientError)
    assert not isinstance(error, TimeoutError)


@pytest.mark.parametrize("name", ["hang", "hang after", "drip"])
async def test_a_line_on_which_nothing_ends(name):
    assert isinstance((await ask(name)).body, TimeoutError)


async def test_a_line_on_which_nothing_ends_is_cut_in_the_end():
    faults = Faults(plan=["hang"] * 2 + ["drip"] * 2, means=Means(hang=0.05))
    async with Emulator(seed=3, scale=0, only=["clio"], faults=faults) as emulator:
        asked = Asked(emulator, "clio")
        for _ in range(2):
            with pytest.raises(aiohttp.ClientError):
                await asked.get(patience=10)


async def test_retry_after_as_seconds_and_as_a_date():
    assert (await ask("429 seconds")).answer.headers["Retry-After"] == "1"
    until = parsedate_to_datetime((await ask("429 date")).answer.headers["Retry-After"])
    assert abs(until - datetime.now(UTC)) < timedelta(seconds=60)


async def test_what_is_no_json():
    found = await ask("bad JSON")
    assert found.answer.content_type == "application/json"
    assert found.whole.startswith(found.body)
    assert len(found.body) < len(found.whole)
    found = await ask("HTML")
    assert (found.answer.status, found.answer.content_type) == (200, "text/html")
    found = await ask("wrong encoding")
    assert found.body.decode("utf-16").encode() == found.whole
    assert found.answer.charset == "utf-8"
    with pytest.raises(UnicodeDecodeError):
        found.body.decode()


JSON_ALONE = ["bad JSON", "wrong type", "wrong charset", "wrong encoding", "twice", "repeated"]


@pytest.mark.parametrize("kind", JSON_ALONE)
async def test_a_file_is_no_json(kind):
    """What has no JSON, or too little of it, meets no fault that is about JSON."""
    shown = [(b"\xff\xd8\xff", "image/jpeg"), (b"\xff\xd8\xff", "application/json")]
    shown += [(b"1", "application/json")] if kind in {"bad JSON", "twice", "repeated"} else []
    faults = Faults(plan=[kind] * len(shown), means=MEANS)
    async with Emulator(seed=3, scale=0, only=["clio"], faults=faults) as emulator:
        asked = Asked(emulator, "clio")
        for body, named in shown:
            emulator.servers["clio"].intercept = lambda _, body=body, named=named: web.Response(
                body=body, content_type=named
            )
            answer, got = await asked.get()
            assert (answer.status, answer.content_type, got) == (200, named, body)
    assert faults.struck == []


async def test_what_is_json_under_another_name():
    found = await ask("wrong type")
    assert (found.answer.content_type, found.body) == ("text/plain", found.whole)
    found = await ask("wrong charset")
    assert (found.answer.charset, found.body) == ("iso-8859-1", found.whole)


async def test_what_is_too_large():
    found = await ask("gzip bomb")
    assert int(found.answer.headers["Content-Length"]) < MEANS.size / 50
    assert found.body == b" " * MEANS.size + found.whole
    assert isinstance((await ask("endless")).body, aiohttp.ClientPayloadError)
    assert {n for n, k in FAULTS.items() if k.is_large} == {"gzip bomb", "endless"}


async def test_redirects():
    answer = (await ask("redirect")).answer
    assert answer.status in range(301, 309)
    assert answer.headers["Location"].startswith("http://elsewhere.test/api/v4/conversations")
    answer = (await ask("redirect to itself")).answer
    assert answer.headers["Location"] == f"/api/v4{LISTS['clio']}"


async def test_a_clock_that_is_off():
    found = await ask("clock")
    off = parsedate_to_datetime(found.answer.headers["Date"]) - datetime.now(UTC)
    assert abs(abs(off) - MEANS.skew) < timedelta(seconds=60)
    assert found.body == found.whole


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_record_comes_twice(name):
    found = await ask("twice", name)
    api = Emulator(seed=3, scale=0, only=[name])[name]
    once, both = (api.rows(json.loads(one)) for one in (found.whole, found.body))
    assert len(both) == len(once) + 1
    assert {json.dumps(one) for one in once} == {json.dumps(one) for one in both}


@pytest.mark.parametrize("name", ["twilio", "sunshine"])
async def test_a_record_vanishes(name):
    faults = Faults(plan=["vanished"], means=MEANS)
    switches = {"sunshine": {"deleted": "removed"}} if name == "sunshine" else {}
    async with (
        Emulator(seed=3, scale=0, only=[name], faults=faults, switches=switches) as emulator,
        emulator.hub() as hub,
    ):
        api = emulator[name]
        one = max(api.conversation_ids(), key=lambda c: len(api.message_ids(c)))
        before = api.message_ids(one)
        await hub.messages(Ref(name, one)).collect(limit=None)
        assert len(api.message_ids(one)) == len(before) - 1
        assert [one.kind for one in faults.struck] == ["vanished"]


PAGED = {
    "twilio": lambda hub, api: hub.conversations(page_size=2, prefetch=0),
    "sunshine": lambda hub, api: hub.messages(
        Ref("sunshine", max(api.conversation_ids(), key=lambda c: len(api.message_ids(c)))),
        prefetch=0,
    ),
    "clio": lambda hub, api: hub.conversations(page_size=2, prefetch=0),
    "circuit": lambda hub, api: hub.iterate(
        hub["circuit"].participants(
            Ref("circuit", max(api.conversation_ids(), key=lambda c: len(api.participant_ids(c)))),
            page_size=2,
        ),
        prefetch=0,
    ),
}


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("kind", ["expired", "repeated"])
async def test_a_cursor_expires_or_leads_in_a_circle(name, kind):
    faults = Faults(plan=[kind] * 20)
    switches = {"sunshine": {"message_page": 2}} if name == "sunshine" else {}
    async with (
        Emulator(seed=3, scale=0, only=[name], faults=faults, switches=switches) as emulator,
        emulator.hub(retries=0) as hub,
    ):
        with pytest.raises(CursorExpiredError if kind == "expired" else PagingError):
            await PAGED[name](hub, emulator[name]).collect(limit=None)
    assert {one.kind for one in faults.struck} == {kind}


@pytest.mark.parametrize("kind", ["gzip bomb", "endless"])
async def test_a_hub_reads_no_more_than_its_limit(kind):
    """And the list goes on when the answer is of a size again."""
    faults = Faults(plan=[kind], means=MEANS)
    async with (
        Emulator(seed=3, scale=0, only=["clio"], faults=faults) as emulator,
        emulator.hub(retries=0, answer_limit=500_000) as hub,
    ):
        pager = hub.conversations(prefetch=0)
        with pytest.raises(TooLargeError):
            await anext(pager)
        found = await pager.collect(limit=None)
        assert [c.ref.id for c in found] == emulator["clio"].conversation_ids()


# By a seed, or by a plan.


def test_a_seed_decides_everything():
    def drawn(seed, share=0.3, **more):
        faults = Faults(seed=seed, share=share, **more)
        return [faults.choice("clio", number, "GET") for number in range(300)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 50 < sum(one is not None for one in drawn(1)) < 130
    assert not any(drawn(1, share=0))
    assert {one.name for one in drawn(1, share=1, kinds=["429", "drip"])} == {"429", "drip"}
    assert not any(one and one.is_large for one in drawn(1, share=1))


def test_what_befalls_reads_alone_befalls_no_write():
    faults = Faults(share=1)
    assert {faults.choice("clio", n, "GET").name for n in range(500)} >= {"twice", "expired"}
    drawn = {faults.choice("clio", n, "POST").methods for n in range(500)}
    assert drawn == {"all"}


async def test_a_share_of_all_requests_goes_wrong_and_the_hub_puts_up_with_it():
    faults = Faults(seed=5, share=0.3, kinds=["500", "reset", "half a body", "wrong type"])
    async with (
        Emulator(seed=3, scale=0, faults=faults) as emulator,
        emulator.hub(retries=20) as hub,
    ):
        for name in PROVIDERS:
            found = await hub.conversations(name, page_size=2).collect(limit=None)
            assert sorted(c.ref.id for c in found) == sorted(emulator[name].conversation_ids())
    assert {one.provider for one in faults.struck} == set(PROVIDERS)
    assert {one.kind for one in faults.struck} == {"500", "reset", "half a body", "wrong type"}


async def test_a_plan_is_used_up_and_can_leave_reads_alone():
    faults = Faults(plan=["429", None, "500"], reads=False)
    async with Emulator(seed=3, scale=0, only=["clio"], faults=faults) as emulator:
        asked = Asked(emulator, "clio")
        assert (await asked.get())[0].status == 200
        faults.reads = True
        assert [(await asked.get())[0].status for _ in range(4)] == [429, 200, 500, 200]
    assert [one.number for one in faults.struck] == [0, 2]


@pytest.mark.parametrize(
    "wrong", [{"share": 2}, {"kinds": ["hunger"]}, {"plan": [None, "hunger"]}], ids=str
)
def test_what_is_no_fault(wrong):
    with pytest.raises(ConfigurationError, match=r"share|hunger.*there are 500"):
        Faults(**wrong)


def test_a_bomb_is_small():
    assert len(gzip.compress(b" " * Means().size, 1)) < 1_000_000
