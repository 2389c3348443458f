"""Stores keep one token, give it to nobody else, and let one renew it at a time."""

import asyncio
import json
import os
import stat
import sys
import threading
import traceback
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from conversations_hub import ConfigurationError, FileStore, MemoryStore, Token, TokenStore, stores

CANARY = "canary-7f3a"
FIRST, SECOND = Token(access=f"{CANARY}-1"), Token(access=f"{CANARY}-2", refresh=f"{CANARY}-r")
TOKENS = [
    pytest.param(FIRST, id="bare"),
    pytest.param(
        Token(
            access=f'{CANARY} "\\\n\u2028 ü',
            refresh=CANARY,
            expires_at=datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC),
            scopes=("READ", "WRITE"),
        ),
        id="full",
    ),
    pytest.param(
        Token(access="a", expires_at=datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=-5)))),
        id="offset",
    ),
]
posix = pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "token.json"


@pytest.fixture(params=["memory", "file"])
def store(request, path):
    return MemoryStore() if request.param == "memory" else FileStore(path)


# What every store does.


def test_a_store_is_one(store):
    assert isinstance(store, TokenStore)


@pytest.mark.parametrize("token", TOKENS)
async def test_what_is_kept_comes_back(store, token):
    assert await store.load() is None
    assert await store.swap(None, token)
    assert await store.load() == token


async def test_only_what_is_known_is_replaced(store):
    assert not await store.swap(FIRST, SECOND)
    assert await store.load() is None
    assert await store.swap(None, FIRST)
    assert not await store.swap(None, SECOND)
    assert not await store.swap(SECOND, FIRST)
    assert await store.load() == FIRST
    assert await store.swap(FIRST, SECOND)
    assert await store.load() == SECOND


async def test_a_place_can_be_emptied(store):
    await store.swap(None, FIRST)
    assert not await store.swap(SECOND, None)
    assert await store.swap(FIRST, None)
    assert await store.load() is None
    assert await store.swap(None, None)


async def test_one_at_a_time_holds_the_lock(store):
    inside, most = 0, 0

    async def renew():
        nonlocal inside, most
        async with store.lock():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(renew() for _ in range(4)))
    assert (inside, most) == (0, 1)


async def test_the_holder_of_the_lock_swaps(store):
    async with store.lock():
        assert await store.swap(None, FIRST)


async def test_an_error_gives_the_lock_back(store):
    with pytest.raises(ValueError, match="refused"):
        async with store.lock():
            raise ValueError("refused")
    async with asyncio.timeout(5), store.lock():
        pass


async def test_whoever_is_cancelled_waiting_leaves_nothing(store):
    """Neither a thread nor a claim to the lock, and the loop goes on meanwhile."""
    before = threading.active_count()
    async with store.lock():
        waiting = asyncio.create_task(_hold(store))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert threading.active_count() == before
    async with asyncio.timeout(5), store.lock():
        pass


async def test_whoever_is_cancelled_inside_gives_the_lock_back(store):
    taken = asyncio.Event()
    holding = asyncio.create_task(_hold(store, taken))
    await taken.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    async with asyncio.timeout(5), store.lock():
        pass


async def _hold(store, taken=None):
    async with store.lock():
        if taken:
            taken.set()
        await asyncio.Event().wait()


async def test_a_store_shows_where_and_not_what(store, path):
    await store.swap(None, SECOND)
    assert CANARY not in repr(store)
    assert isinstance(store, MemoryStore) or str(path) in repr(store)


# What a file adds.


async def test_a_file_is_read_by_another_store(path):
    await FileStore(path).swap(None, SECOND)
    assert await FileStore(str(path)).load() == SECOND


@posix
@pytest.mark.parametrize("token", [FIRST, SECOND])
async def test_nobody_else_may_read_it(path, token, monkeypatch):
    """Not for a moment: it has its mode when it is opened, whatever the umask."""
    opened = []
    real = os.open

    def spied(name, flags, mode=0o777, **rest):
        number = real(name, flags, mode, **rest)
        if flags & os.O_CREAT:
            opened.append((Path(name).name, os.fstat(number).st_mode & 0o777))
        return number

    monkeypatch.setattr(os, "open", spied)
    before = os.umask(0)
    try:
        async with FileStore(path).lock():
            await FileStore(path).swap(None, token)
            await FileStore(path).swap(token, FIRST)
    finally:
        os.umask(before)
    assert ("token.json.new", 0o600) in opened
    assert {mode for _, mode in opened} == {0o600}
    for made in path.parent.iterdir():
        assert made.stat().st_mode & 0o077 == 0, made.name


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
async def test_a_file_that_others_may_use_is_refused(path, mode):
    await FileStore(path).swap(None, FIRST)
    path.chmod(mode)
    for ask in (FileStore(path).load(), FileStore(path).swap(FIRST, SECOND)):
        with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
            await ask
    path.chmod(0o600)
    assert await FileStore(path).load() == FIRST


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(f'{{"access": "{CANARY}"'.encode(), id="cut"),
        pytest.param(f'{{"refresh": "{CANARY}"}}'.encode(), id="no token"),
        pytest.param(f'{{"access": 1, "refresh": "{CANARY}"}}'.encode(), id="wrong type"),
        pytest.param(f'["{CANARY}"]'.encode(), id="list"),
        pytest.param(f'{{"access": "{CANARY}\\ud800"}}'.encode(), id="half a character"),
        pytest.param(f'{{"access": "{CANARY}'.encode() + b'\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"kind": ' + b"[" * 100_000, id="deeper"),
        pytest.param(f'{{"access": "{CANARY}"}}'.encode() + b" " * 2**20 + b"1", id="too large"),
    ],
)
async def test_a_damaged_file_is_named_and_never_shown(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        await FileStore(path).load()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if frame.filename == stores.__file__]
    told = "".join([str(caught.value), *(str(frame.locals) for frame in frames)])
    assert str(path) in str(caught.value)
    assert frames
    assert CANARY not in told
    assert caught.value.__context__ is None
    assert path.read_bytes() == content


async def test_unknown_members_do_no_harm(path):
    """A newer version may keep more."""
    path.write_text(json.dumps({"access": "a", "kind": "new"}))
    path.chmod(0o600)
    assert await FileStore(path).load() == Token(access="a")


async def test_the_directory_must_be_there(tmp_path):
    store = FileStore(tmp_path / "nowhere" / "token.json")
    asks = [store.load(), store.swap(None, FIRST), _hold(store)]
    for ask in asks:
        with pytest.raises(ConfigurationError, match=f"no directory {tmp_path / 'nowhere'}"):
            await ask


@posix
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_what_is_no_file_is_refused_at_once(path, make):
    make(path)
    path.chmod(0o700 if path.is_dir() else 0o600)
    async with asyncio.timeout(5):
        with pytest.raises(ConfigurationError, match=str(path)):
            await FileStore(path).load()


@posix
async def test_a_link_stays_a_link(path, tmp_path):
    target = tmp_path / "real" / "token.json"
    target.parent.mkdir()
    path.symlink_to(target)
    assert await FileStore(path).swap(None, FIRST)
    assert path.is_symlink()
    assert await FileStore(target).load() == FIRST


async def test_a_write_that_fails_leaves_the_old_token(path, monkeypatch):
    store = FileStore(path)
    await store.swap(None, FIRST)

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match=r"token\.json for tokens: No space left"):
        await store.swap(FIRST, SECOND)
    assert await store.load() == FIRST
    assert not path.with_name("token.json.new").exists()


@posix
async def test_a_directory_that_cannot_be_synced_does_no_harm(path, monkeypatch):
    """The file itself can, before it takes its place."""
    synced, real = [], os.fsync

    def spied(number):
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(22, "Invalid argument")
        synced.append(path.exists())
        real(number)

    monkeypatch.setattr(os, "fsync", spied)
    assert await FileStore(path).swap(None, FIRST)
    assert synced == [False]
    assert await FileStore(path).load() == FIRST


async def test_a_crash_between_writing_and_replacing_does_no_harm(path):
    store = FileStore(path)
    await store.swap(None, FIRST)
    path.with_name("token.json.new").write_text("half a tok")
    assert await store.load() == FIRST
    assert await store.swap(FIRST, SECOND)
    assert await store.load() == SECOND


async def test_without_the_extra_it_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'conversations-hub\[oauth\]'"):
        await FileStore(path).swap(None, FIRST)
    assert await FileStore(path).load() is None


# Between processes.

COUNTING = """
import asyncio, sys
from conversations_hub import FileStore, Token

async def main(path, times, locked):
    store, lost = FileStore(path), 0

    async def once():
        nonlocal lost
        while True:
            old = await store.load()
            await asyncio.sleep(0.002)
            if await store.swap(old, Token(access=str(int(old.access.reveal()) + 1))):
                return
            lost += 1

    for _ in range(times):
        if locked:
            async with store.lock():
                await once()
        else:
            await once()
    print(lost)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "locked"))
"""
HOLDING = """
import asyncio, sys
from conversations_hub import FileStore

async def main(path):
    async with FileStore(path).lock():
        print("taken", flush=True)
        await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


async def python(code, *arguments):
    """Run some code in another process."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stdout=PIPE, stderr=PIPE
    )


@pytest.mark.parametrize("way", ["swapping", "locked"])
async def test_processes_neither_lose_nor_double_a_change(path, way):
    """All add one to the same number; whoever holds the lock is never in another's way."""
    await FileStore(path).swap(None, Token(access="0"))
    running = [await python(COUNTING, str(path), "8", way) for _ in range(3)]
    answers = [await one.communicate() for one in running]
    assert [error for _, error in answers] == [b"", b"", b""]
    assert await FileStore(path).load() == Token(access="24")
    if way == "locked":
        assert [int(lost) for lost, _ in answers] == [0, 0, 0]


async def test_the_lock_of_a_process_holds_until_it_dies(path):
    holder = await python(HOLDING, str(path))
    assert await holder.stdout.readline() == b"taken\n"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15), FileStore(path).lock():
            pass
    holder.kill()
    await holder.communicate()
    async with asyncio.timeout(10), FileStore(path).lock():
        pass


@pytest.mark.parametrize("path", [None, 7, b"token", "a\0b"])
def test_a_file_has_a_path(path):
    with pytest.raises(ConfigurationError, match="given the path of a file"):
        FileStore(path)
