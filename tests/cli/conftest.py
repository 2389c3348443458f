import asyncio
import sys
import threading
from contextlib import contextmanager
from itertools import chain

import pytest

from conversations_hub.cli import main
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS, load


@contextmanager
def _serving(seed):
    """Run an emulator in a thread of its own, since each command runs its own event loop."""
    emulator = Emulator(seed=seed, scale=0.05)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(emulator.__aenter__())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield emulator
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        runner.run(emulator.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Let no command tell of the event loop, whatever the suite is run with."""
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)


@pytest.fixture(scope="session")
def serving():
    return _serving


@pytest.fixture(scope="session")
def served(serving):
    with serving(seed=5) as emulator:
        yield emulator


@pytest.fixture
def config(served, tmp_path):
    """Write a settings file for the emulator, with changes to some accounts."""

    def write(only=(), **changes):
        lines = []
        for name, server in served.servers.items():
            if only and name not in only:
                continue
            settings = {"base_url": server.base_url, **server.api.arguments}
            settings |= changes.get(name, {})
            lines += [f"[{name}]", *(f"{key} = {value!r}" for key, value in settings.items())]
        path = tmp_path / "accounts.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def cli(capsys):
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*args):
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def terminal(capsys, monkeypatch):
    """Make what is captured a terminal of 100 columns."""
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(autouse=True)
def _no_accounts(monkeypatch):
    """Keep the accounts of whoever runs the tests out of them."""
    for variables in (load(name).env.values() for name in PROVIDERS):
        for variable in chain(*variables):
            monkeypatch.delenv(variable, raising=False)
