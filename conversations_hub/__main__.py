"""Runs the command line: `python -m conversations_hub`."""

from conversations_hub.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
