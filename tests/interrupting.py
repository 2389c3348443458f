"""Cancels work at a chosen moment, and tells what it left behind."""

import asyncio
from collections.abc import Coroutine

from attrs import define, field

SERVERS = ("RequestHandler.", "web_", "Server.")
PATIENCE = 2.0


async def outcome(task):
    """Return what a task came to; `gather` would make a new error of a cancellation."""
    try:
        return await task
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it is
        return error


@define
class Stepped(Coroutine):
    """A coroutine that cancels its own task when it waits for the n-th time."""

    work: object
    at: int
    steps: int = field(default=0, init=False)

    def send(self, value):
        waits_for = self.work.send(value)
        self.steps += 1
        if self.steps == self.at:
            asyncio.current_task().cancel()
        return waits_for

    def throw(self, *error):
        return self.work.throw(*error)

    def close(self):
        self.work.close()

    def __await__(self):
        return self.work.__await__()


@define
class Turned:
    """A task that is cancelled before the n-th turn of the event loop, whatever it is at."""

    work: object
    at: int
    steps: int = field(default=0, init=False)

    async def result(self):
        loop = asyncio.get_running_loop()
        run_once = loop._run_once
        task = loop.create_task(self.work)

        def counted():
            self.steps += not task.done()
            if self.steps == self.at:
                task.cancel()
            run_once()

        loop._run_once = counted
        try:
            return await outcome(task)
        finally:
            del loop._run_once


async def cancelled_at(work, at, how):
    """Do the work and cancel it at its n-th step; return what became of it, and how many it had.

    A step is a wait of its own, or a turn of the event loop, which meets a task also between what
    it waited for and its going on.
    """
    if how == "turn":
        turned = Turned(work, at)
        return await turned.result(), turned.steps
    stepped = Stepped(work, at)
    return await outcome(asyncio.create_task(stepped)), stepped.steps


def tasks():
    """Return the tasks that are at work, but for the servers' and this one."""
    return {
        task
        for task in asyncio.all_tasks() - {asyncio.current_task()}
        if not getattr(task.get_coro(), "__qualname__", "").startswith(SERVERS)
    }


def left_by(hub, before=frozenset()):
    """Return what a hub still holds, by name; nothing where it is at rest."""
    keepers = [account.keeper for account in hub._transport._accounts.values()]
    transport, fetcher = hub._transport, hub._fetcher
    gates = [transport._elsewhere, *(account.gate for account in transport._accounts.values())]
    session = transport.network._own
    turns = [
        one
        for account in transport._accounts.values()
        for one in (*account.pace._budgets.values(), account.pace._learned, account.pace._recovery)
        if one is not None
    ]
    found = {
        "tasks": tasks() - before,
        "connections": session.connector._acquired if session and session.connector else (),
        "gates": [gate for gate in gates if gate._value != transport.connections],
        "waiting": [w for gate in gates for w in gate._waiters or () if not w.done()],
        "places": [t.limit for t in turns if t.limit._under_way],
        "locks": [t._queue for t in turns if t._queue.locked()],
        "renewals": [keeper for keeper in keepers if keeper and keeper._renewing],
        "writes": [calls for calls in fetcher._memory._calls.values() if calls],
    }
    return {name: what for name, what in found.items() if what}


async def rested(hub, before=frozenset()):
    """Wait until a hub holds nothing, for a while; return what it holds then."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while (left := left_by(hub, before)) and (  # noqa: ASYNC110 - nobody tells
        asyncio.get_running_loop().time() < end
    ):
        await asyncio.sleep(0.001)
    return left
