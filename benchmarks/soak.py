"""Reads and writes at all four providers for long while faults strike, and looks at what is left.

The emulator runs here and the hub in a process of its own, whose memory and sockets are looked at.
In the end the store has to hold what it held, and what the ledger says was written: no more, and no
less. Nobody deletes, so that records do not vanish.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import time
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

from reliability import KEPT, SOAK, read

from conversations_hub import AmbiguousWriteError, ConversationsHub, ProviderError, Ref
from conversations_hub.emulator import FAULTS, Emulator, Faults
from conversations_hub.emulator.kinds import Means
from conversations_hub.providers import PROVIDERS, load

SHARE = 0.05
KINDS = [name for name, kind in FAULTS.items() if not kind.is_large and name != "vanished"]
TIMEOUT = 2.0
PLACES = 8
"""So many conversations of each provider are written to."""
PAUSE = 0.2
"""Seconds between two writes to a provider."""


# The emulator's side.


async def serve(minutes: float, seed: int) -> dict:
    """Serve a hub of another process, and compare what it tells with what is there."""
    faults = Faults(seed=seed, share=SHARE, kinds=KINDS, means=Means(hang=10.0))
    async with Emulator(seed=3, scale=0, faults=faults) as emulator:
        places = {name: written_to(emulator[name]) for name in PROVIDERS}
        before = store(emulator)
        told = {
            "minutes": minutes,
            "places": places,
            "accounts": {
                name: {"base_url": emulator.base_url(name), **emulator[name].arguments}
                for name in PROVIDERS
            },
        }
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--client"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024**2,
        )
        counting = asyncio.create_task(count(emulator, faults))
        out, _ = await client.communicate(json.dumps(told).encode())
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting
        sums = sweep(emulator, faults)
        if client.returncode:
            raise SystemExit(f"the client ended with {client.returncode}")
        found = json.loads(out)
        after = store(emulator)
    wrote = found.pop("wrote")
    expected = {where: ids + wrote.get(where, []) for where, ids in before.items()}
    missing = sum((Counter(expected[w]) - Counter(after[w])).total() for w in expected)
    beyond = sum((Counter(after[w]) - Counter(expected[w])).total() for w in expected)
    return {
        "minutes": minutes,
        "share": SHARE,
        **TOTALS,
        **{name: TOTALS[name] + sums[name] for name in sums},
        **found,
        "written": sum(map(len, wrote.values())),
        "lost": found["lost"] + missing,
        "doubled": found["doubled"] + beyond,
    }


TOTALS: Counter[str] = Counter()


def sweep(emulator: Emulator, faults: Faults) -> Counter[str]:
    """Count the logs, and empty them: they would be all that grows."""
    sums = Counter(requests=len(emulator.requests), faults=len(faults.struck))
    for server in emulator.servers.values():
        server.requests.clear()
    faults.struck.clear()
    return sums


async def count(emulator: Emulator, faults: Faults) -> None:
    """Empty the logs again and again."""
    while True:
        await asyncio.sleep(1)
        TOTALS.update(sweep(emulator, faults))


def written_to(api) -> list[str]:
    """Return the conversations that have the fewest messages, but some."""
    ids = [one for one in api.conversation_ids() if api.message_ids(one)]
    return sorted(ids, key=lambda one: len(api.message_ids(one)))[:PLACES]


def store(emulator: Emulator) -> dict[str, list[str]]:
    """Return all messages, by conversation."""
    return {
        str(Ref(name, one)): emulator[name].message_ids(one)
        for name in PROVIDERS
        for one in emulator[name].conversation_ids()
    }


# The hub's side.


class Client:
    """Reads and writes, and remembers what it was told."""

    def __init__(self, told: dict) -> None:
        self.places = told["places"]
        self.end = time.monotonic() + told["minutes"] * 60
        self.accounts = [load(name).from_settings(one) for name, one in told["accounts"].items()]
        self.wrote: dict[str, list[str]] = {}
        self.sums = Counter(delivered=0, errors=0, lost=0, doubled=0, unknown=0)
        self.memory: list[float] = []
        self.odd: list[str] = []

    async def run(self) -> dict:
        """Work until the end, and tell what is left."""
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.odd.append(str(context))
        )
        sockets = open_sockets()
        async with (
            ConversationsHub(*self.accounts, timeout=TIMEOUT) as hub,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self.watch())
            for name in PROVIDERS:
                tasks.create_task(self.write(hub, name))
                tasks.create_task(self.read(hub, name))
        gc.collect()
        await asyncio.sleep(0.1)
        sixth = max(1, len(self.memory) // 6)
        growth = statistics.median(self.memory[-sixth:]) - statistics.median(
            self.memory[sixth : 2 * sixth] or self.memory
        )
        return {
            **self.sums,
            "growth": round(growth, 2),
            "memory": round(self.memory[-1], 1),
            "sockets": open_sockets() - sockets,
            "odd": self.odd,
            "wrote": self.wrote,
        }

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    async def watch(self) -> None:
        while self.goes_on:
            self.memory.append(resident())
            await asyncio.sleep(1)

    async def write(self, hub: ConversationsHub, name: str) -> None:
        chance, number = random.Random(name), 0
        while self.goes_on:
            number += 1
            where = Ref(name, chance.choice(self.places[name]))
            try:
                sent = await hub.send(where, f"number {number}")
            except AmbiguousWriteError as error:
                self.sums["errors"] += 1
                sent = await self.found_out(error)
            except ProviderError:
                self.sums["errors"] += 1
                sent = None
            if sent is not None:
                self.wrote.setdefault(str(where), []).append(sent.ref.id)
            await asyncio.sleep(PAUSE)

    async def found_out(self, fate: AmbiguousWriteError):
        while True:
            try:
                outcome = await fate.reconcile
            except ProviderError:
                self.sums["errors"] += 1
            else:
                self.sums["unknown"] += outcome.happened is None
                return outcome.value if outcome.happened else None

    async def read(self, hub: ConversationsHub, name: str) -> None:
        chance = random.Random(f"read {name}")
        while self.goes_on:
            where = Ref(name, chance.choice(self.places[name]))
            known = set(self.wrote.get(str(where), ()))
            got, pager = Counter(), hub.messages(where)
            while True:
                try:
                    got[(await anext(pager)).ref.id] += 1
                except StopAsyncIteration:
                    break
                except ProviderError:
                    self.sums["errors"] += 1
                    if chance.random() < 0.5:
                        saved = pager.checkpoint()
                        await pager.aclose()
                        pager = hub.resume(saved)
            self.sums["delivered"] += got.total()
            self.sums["lost"] += len(known - got.keys())
            self.sums["doubled"] += got.total() - len(got)


def resident() -> float:
    """Return the memory of this process in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes.split()[1]) / 1024


def open_sockets() -> int:
    """Return how many sockets this process has open."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(str(fd.readlink()))
    return sum(link.startswith("socket:") for link in links)


def client() -> None:
    """Be the process of the hub."""
    told = json.load(sys.stdin)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = asyncio.run(Client(told).run())
        gc.collect()
    odd = [*found.pop("odd"), *(str(one.message) for one in caught)]
    sys.stderr.writelines(f"{one}\n" for one in odd)
    json.dump({**found, "warnings": len(odd)}, sys.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=KEPT)
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.client:
        client()
        return
    found = asyncio.run(serve(args.minutes, args.seed))
    kept = dict(sorted({**read(args.out), SOAK: found}.items()))
    args.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    wrong = [name for name in ("lost", "doubled", "unknown", "warnings", "sockets") if found[name]]
    if wrong:
        raise SystemExit(f"not well: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
