"""Two judges that nobody here wrote: a strict validator and mock servers of the descriptions.

Both live beside the project and are skipped where they are absent.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversations_hub import (
    ConversationsHub,
    ConversationState,
    HubError,
    PagingError,
    Ref,
    StatusError,
)
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.transport import Transport
from providers.test_operations import everything_asked

# Where they must be there, as in CI, nothing is skipped.
REQUIRED = os.environ.get("CONTRACT_REQUIRED") == "1"
BESIDE = Path(__file__).parents[3] / "shared" / "contract"
FOLDER = Path(os.environ.get("CONTRACT", BESIDE))

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(
        not REQUIRED and not FOLDER.is_dir(), reason="the published descriptions are not here"
    ),
]

MOMENT = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
FILTERS = [
    {},
    {"created_after": MOMENT},
    {"created_before": MOMENT},
    {"updated_after": MOMENT},
    {"state": ConversationState.OPEN},
    {"state": ConversationState.ARCHIVED},
    {"participant": "+15551234567"},
    {"participant": "77001"},
    {"page_size": 3},
    {"page_size": 5000},
]
NATIVE = {
    "clio": [
        {"read_status": True, "for_user": False, "time_entries": True},
        {"matter_id": 51234, "date": "2026-02-03", "ids": [1, 2]},
    ],
}


@pytest.fixture(scope="session")
def contracts():
    if not REQUIRED:
        pytest.importorskip("openapi_core")
    sys.path.insert(0, str(FOLDER))
    from validate_request import Contract  # noqa: PLC0415 - found only here

    return {name: Contract.load(name) for name in PROVIDERS}


async def read_everything(hub, name, api):
    """Ask every question of the read side in every documented way."""
    for filters in [*FILTERS, *NATIVE.get(name, [])]:
        try:
            listing = hub[name].conversations(**filters)
            await hub.iterate(listing).collect(limit=30)
        except HubError as error:
            assert error.status in {None, 400, 404, 422}  # unsupported, or nobody of that name
    for conversation in api.conversation_ids()[:12]:
        ref = Ref(name, conversation)
        await hub.conversation(ref)
        for order in ("oldest", "newest", None):
            found = await hub.messages(ref, order=order, since=MOMENT).collect(limit=250)
        found = await hub.messages(ref).collect(limit=250)
        await hub.participants(ref).collect(limit=None)
        if found and "message" in hub[name].capabilities:
            await hub.message(ref, found[0].ref.id)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROVIDERS)
async def test_the_validator_accepts_every_request(contracts, name):
    async with Emulator(seed=5, scale=0.2) as emulator, emulator.hub(resolve_names=True) as hub:
        await read_everything(hub, name, emulator[name])
        log = emulator.servers[name].requests
    assert len(log) > 50
    problems = {
        (request.method, request.target): found
        for request in log
        if (
            found := contracts[name].check(
                request.method, request.target, headers=request.headers, body=request.body
            )
        )
    }
    assert problems == {}


# Paths that are no part of the conversation APIs that are covered.
NOT_OURS = {"sunshine": r"/oauth/"}
# What the validator cannot read: a deep object whose key has a dot in it.
ELSEWHERE = {
    "twilio": r"/Media|temporary-media",
    "sunshine": r"/attachments/|/apps/",
    "clio": r"/documents/|/storage/",
    "circuit": r"fileapi|/files/",
}
"""Files have hosts and paths that no description has."""
BEYOND = {("sunshine", "GET", "users"): ["Missing required query parameter: filter"]}


def described(name):
    """Return the operations of a description: method, pattern of the path, and name."""
    spec = json.loads((FOLDER.parent / "specs" / f"{name}.openapi.json").read_text())
    for path, item in spec["paths"].items():
        if re.search(NOT_OURS.get(name, "^$"), path):
            continue
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield method.upper(), path, pattern, operation["operationId"]


def serving(operations, request):
    """Return the described operation that a request is for, the most literal path first."""
    path = request.target.partition("?")[0]
    found = [
        (path_.count("{"), name)
        for method, path_, pattern, name in operations
        if method == request.method and re.fullmatch(f".*{pattern}", path)
    ]
    return min(found)[1] if found else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_operation_of_the_description_is_asked_as_described(contracts, name):
    operations = list(described(name))
    async with everything_asked(name) as (_, requests):
        pass
    asked = {serving(operations, request) for request in requests}
    assert {operation for *_, operation in operations} - asked == set()
    problems = {}
    for request in requests:
        if serving(operations, request) is None:
            assert re.search(ELSEWHERE[name], request.target), request.target
            continue
        found = contracts[name].check(
            request.method, request.target, headers=request.headers, body=request.body
        )
        last = request.target.partition("?")[0].rpartition("/")[2]
        if found and BEYOND.get((name, request.method, last)) != found:
            problems[request.method, request.target] = found
    assert problems == {}


@pytest.fixture(scope="session")
def mocks(tmp_path_factory):
    cache = os.environ.get("CONTRACT_CACHE") or str(tmp_path_factory.mktemp("mocks"))
    with subprocess.Popen(
        [sys.executable, FOLDER / "serve-specs", "--until-eof"],
        env=os.environ | {"CONTRACT_CACHE": cache},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        line = process.stdout.readline()
        if not line:
            why = f"the mock servers could not start: {process.stderr.read()[-300:]}"
            (pytest.fail if REQUIRED else pytest.skip)(why)
        yield json.loads(line)
        process.stdin.close()


def credentials(name):
    cls = load(name)
    settings = {
        "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "t"},
        "sunshine": {"app_id": "a" * 24, "key_id": "k", "secret": "s", "users": ["u" * 24]},
    }
    return cls, settings.get(name, {"token": "t"})


@pytest.mark.parametrize("name", PROVIDERS)
async def test_the_publishers_examples_are_translated(mocks, name):
    cls, settings = credentials(name)
    hub = ConversationsHub(cls(base_url=mocks[name], **settings))
    where = {"twilio": "CH" + "0" * 32, "clio": "1", "circuit": "string"}.get(name, "c" * 24)
    ref = Ref(name, where)
    async with hub:
        found = [
            await some(hub.conversations()),
            await some(hub.messages(ref)),
            await some(hub.participants(ref)),
        ]
        assert (await hub.conversation(ref)).ref.provider == name
        if "message" in hub[name].capabilities:
            message = {"twilio": "IM" + "0" * 32}.get(name, "1")
            assert (await hub.message(ref, message)).ref.provider == name
    assert all(item.ref.provider == name for items in found for item in items)
    assert any(found)


async def some(pager):
    """Read what there is: the mocks' cursors are constant, so that a walk ends in circles."""
    found = []
    try:
        async for item in pager:
            found.append(item)
            if len(found) > 200:
                break
    except PagingError as error:
        assert "circles" in str(error)
    return found


# What each mock is asked to write: the shared questions, as far as the provider answers them.
WRITES = {
    "send": lambda p, ref: p.send(ref, "Hello"),
    "edit": lambda p, ref: p.edit(ref, MESSAGES.get(p.name, "1"), text="Hello"),
    "delete_message": lambda p, ref: p.delete_message(ref, MESSAGES.get(p.name, "1")),
    "create": lambda p, ref: p.create(title="Hello", text="Hello", **BEGUN.get(p.name, {})),
    "update": lambda p, ref: p.update(ref, title="Hello"),
    "archive": lambda p, ref: p.archive(ref),
    "unarchive": lambda p, ref: p.unarchive(ref),
    "close": lambda p, ref: p.close(ref),
    "delete": lambda p, ref: p.delete(ref),
    "add_participant": lambda p, ref: p.add_participant(ref, "a" * 24),
    "remove_participant": lambda p, ref: p.remove_participant(ref, "a" * 24),
    "mark_read": lambda p, ref: p.mark_read(ref, **READERS.get(p.name, {})),
}
MESSAGES = {"twilio": "IM" + "0" * 32, "sunshine": "d" * 24}
BEGUN = {
    "sunshine": {"participants": ["u" * 24]},
    "clio": {"participants": ["contact/1"]},
    "circuit": {"participants": ["kim@example.com"]},
}
READERS = {"twilio": {"participant": "ann"}}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_the_mock_servers_accept_the_shared_writes(mocks, name, monkeypatch):
    """A mock says yes to what is well formed; what it then answers need make no sense."""
    cls, settings = credentials(name)
    where = {"twilio": "CH" + "0" * 32, "clio": "1", "circuit": "string"}.get(name, "c" * 24)
    send, accepted, refused = Transport.send, [], []

    async def spy(self, provider, request, operation):
        try:
            response = await send(self, provider, request, operation)
        except StatusError as error:
            refused.append((operation, request.method, request.target, error.status))
            raise
        accepted.append((operation, request.method))
        return response

    monkeypatch.setattr(Transport, "send", spy)
    async with ConversationsHub(cls(base_url=mocks[name], **settings)) as hub:
        for question in hub[name].capabilities & set(WRITES):
            with suppress(HubError):
                await WRITES[question](hub[name], Ref(name, where))
    assert refused == []
    written = {operation for operation, method in accepted if method != "GET"}
    assert len(written) > 2, written
