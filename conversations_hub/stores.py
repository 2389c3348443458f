"""Token stores: in memory, and in a file that several processes may share."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec
from attrs import field, frozen, mutable

from conversations_hub.arguments import named
from conversations_hub.errors import ConfigurationError
from conversations_hub.tokens import Token, TokenStore

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL = 0.05
"""Seconds between two looks at a lock that somebody else holds."""
LARGEST = 1024**2
"""Bytes of a file that may still be a token."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
# A pipe in the place of the file must not keep the loop waiting. Not every system has both flags.
READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@mutable(eq=False)
class MemoryStore(TokenStore):
    """Keeps a token as long as the process runs."""

    _token: Token | None = field(default=None, repr=False)
    _locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(
        factory=WeakKeyDictionary, init=False, repr=False
    )

    async def load(self) -> Token | None:
        """Return the token, if there is one."""
        return self._token

    async def swap(self, old: Token | None, new: Token | None) -> bool:
        """Put `new` in the place of `old`; False, and nothing done, where something else is."""
        if self._token != old:
            return False
        self._token = new
        return True

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Let one task of an event loop at a time renew the token."""
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _absolute(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise ConfigurationError(f"a FileStore is given the path of a file, not {named(path)}")
    return Path(path).absolute()


@frozen
class FileStore(TokenStore):
    """Keeps a token in a file that its owner alone can read; needs the extra `oauth`.

    A few hundred bytes are read and written in place, not in a thread, which would outlive the
    cancellation of whoever waits for it.
    """

    path: Path = field(converter=_absolute)

    async def load(self) -> Token | None:
        """Return the token, or None where there is no file yet."""
        with _explained(self.path):
            return _read(self._target)

    async def swap(self, old: Token | None, new: Token | None) -> bool:
        """Put `new` in the place of `old`; False, and nothing done, where something else is."""
        async with self._alone("swap"):
            with _explained(self.path):
                if _read(self._target) != old:
                    return False
                _write(self._target, new)
                return True

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Let one at a time renew the token, of all processes that share the file."""
        return self._alone("lock")

    @property
    def _target(self) -> Path:
        """The file itself where the path is a link, so that all its names share the locks."""
        return Path(os.path.realpath(self.path))

    @asynccontextmanager
    async def _alone(self, purpose: str) -> AsyncIterator[None]:
        # A renewal also swaps, so the two have a lock each.
        with _explained(self.path):
            _check_directory(self._target)
            lock = _file_lock(self._target.with_name(f"{self._target.name}.{purpose}"))
        while not _taken(lock, self.path):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(POLL)
        try:
            yield
        finally:
            lock.release()


class _Kept(msgspec.Struct, omit_defaults=True):
    """What stands in the file."""

    access: str
    refresh: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


def _file_lock(path: Path) -> BaseFileLock:
    try:
        from filelock import FileLock  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "a FileStore needs filelock: python3 -m pip install 'conversations-hub[oauth]'"
        ) from None
    return FileLock(path, mode=0o600, thread_local=False)


def _taken(lock: BaseFileLock, path: Path) -> bool:
    """Take the lock if it is free."""
    with _explained(path):
        try:
            lock.acquire(blocking=False)
        except TimeoutError:
            return False
    return True


def _read(path: Path) -> Token | None:
    content = _content(path)
    if content is None:
        return None
    token = _decoded(content)
    if token is None:
        del content  # so that no traceback shows it
        raise ConfigurationError(
            f"{path} holds no token that can be read; remove it, sign in again"
        )
    return token


def _content(path: Path) -> bytes | None:
    try:
        number = os.open(path, READING)
    except FileNotFoundError:
        _check_directory(path)
        return None
    with open(number, "rb") as file:  # noqa: PTH123 - what was checked is what is read
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigurationError(f"{path} is not a file")
        if os.name == "posix" and state.st_mode & OTHERS:
            raise ConfigurationError(f"others may use the token in {path}: chmod 600 {path}")
        content = file.read(LARGEST + 1)
        return content if len(content) <= LARGEST else b""


def _decoded(content: bytes) -> Token | None:
    # An error raised here would carry the content about in its traceback.
    try:
        kept = msgspec.json.decode(content, type=_Kept)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if kept.expires_at is not None and kept.expires_at.tzinfo is None:
        return None
    return Token(
        access=kept.access, refresh=kept.refresh, expires_at=kept.expires_at, scopes=kept.scopes
    )


def _encoded(token: Token) -> bytes:
    return msgspec.json.encode(
        _Kept(
            access=token.access.reveal(),
            refresh=token.refresh.reveal() if token.refresh else None,
            expires_at=token.expires_at,
            scopes=token.scopes,
        )
    )


def _write(path: Path, token: Token | None) -> None:
    """Replace the file at once; after a crash there is the old one or the new one."""
    if token is None:
        path.unlink(missing_ok=True)
    else:
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)  # of somebody who crashed
        try:
            with open(os.open(draft, WRITING, 0o600), "wb") as file:  # noqa: PTH123 - the mode
                file.write(_encoded(token))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    # The token stands already, and not every system can do this.
    with suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _check_directory(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no directory {path.parent} for the token's file")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say which file it is that the system will not read or write."""
    try:
        yield
    except OSError as cause:
        raise ConfigurationError(f"cannot use {path} for tokens: {cause.strerror}") from cause
