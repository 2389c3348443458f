"""Runs every benchmark, one after the other, and writes what they found into the READMEs."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = (
    "translate",
    "listing",
    "bulk",
    "parallel",
    "prefetch",
    "memory",
    "flat",
    "policies",
    "imports",
    "rivals",
)
MORE = {"flat": ["--long"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="of each program, in place of its own number")
    parser.add_argument("programs", nargs="*", default=PROGRAMS, help=f"of {', '.join(PROGRAMS)}")
    options = parser.parse_args()
    rounds = [] if options.rounds is None else ["--rounds", str(options.rounds)]
    failed = []
    for name in options.programs:
        begun = time.perf_counter()
        if not _runs(name, *rounds, *MORE.get(name, ())):
            failed.append(name)
        print(f"-- {name}: {time.perf_counter() - begun:.0f} s", flush=True)
    if not _runs("report"):
        failed.append("report")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _runs(name: str, *arguments: str) -> bool:
    program = Path(__file__).with_name(f"{name}.py")
    return subprocess.run([sys.executable, str(program), *arguments], check=False).returncode == 0


if __name__ == "__main__":
    main()
