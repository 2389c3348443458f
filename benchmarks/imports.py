"""Measures how long an import takes, each time in an interpreter that has imported nothing yet."""

from __future__ import annotations

import os
import subprocess
import sys

from harness import arguments, ratio, record

IMPORTS = {
    "aiohttp": "import aiohttp",
    "package": "import conversations_hub",
    "hub": "from conversations_hub import ConversationsHub",
}
TIMED = "import time; begun = time.perf_counter(); {}; print(time.perf_counter() - begun)"


def seconds(statement: str) -> float:
    """Return how long an interpreter takes for the statement, its own start left out."""
    # The first one compiles; nobody does that each time.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    run = subprocess.run(
        [sys.executable, "-c", TIMED.format(statement)],
        check=True,
        stdout=subprocess.PIPE,
        env=environment,
    )
    return float(run.stdout)


def main() -> None:
    options = arguments(__doc__, rounds=40).parse_args()
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for number in range(options.rounds + 1):
        for name in IMPORTS if number % 2 else reversed(IMPORTS):
            taken = seconds(IMPORTS[name])
            if number:
                times[name].append(taken)
    for name in ("package", "hub"):
        row = f"`{IMPORTS[name]}` ÷ `{IMPORTS['aiohttp']}`"
        record(options, f"imports: {row}: ratio", ratio(times[name], times["aiohttp"]))


if __name__ == "__main__":
    main()
