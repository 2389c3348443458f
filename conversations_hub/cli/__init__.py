"""The command line, which needs the extra `cli`: click and rich."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["main"]

COMMANDS = ("commands", "writing", "calling")
"""The modules whose commands there are."""


def main(args: Sequence[str] | None = None) -> int:
    """Carry out a command and return its exit code; the arguments default to the process's."""
    try:
        program = import_module("conversations_hub.cli.program")
        for commands in COMMANDS:
            import_module(f"conversations_hub.cli.{commands}")
    except ModuleNotFoundError as missing:
        if missing.name not in {"click", "rich"}:
            raise
        raise SystemExit(
            f"error: the command line needs {missing.name}: "
            "python3 -m pip install 'conversations-hub[cli]'"
        ) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was changed\n")
        raise SystemExit(130) from None
    code: int = program.run(args)
    return code
