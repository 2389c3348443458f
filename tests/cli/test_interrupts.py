"""Whoever interrupts a command waits no longer than a second, and hears what is safe."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from aiohttp import web

from conversations_hub import ConversationsHub, Ref
from conversations_hub.cli import main
from conversations_hub.cli.interrupts import LATE, Interruption

PROGRAM = (sys.executable, "-m", "conversations_hub")
SOON = 3.0
"""A busy machine takes longer than the second that is meant."""


@contextmanager
def running(*args, command=PROGRAM, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *map(str, args)], **{**pipes, **options}) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process, number=signal.SIGINT):
    """Interrupt a command; return how it ended and what it said."""
    begun = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < SOON
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.fixture
def hanging(served):
    """Let a provider's answers hang from the n-th on; the value tells that one does."""
    held, server = threading.Event(), served.servers["twilio"]

    def let(*, after=0, method=None):
        left = [after]

        async def hang(request):
            if method is not None and request.method != method:
                return None
            left[0] -= 1
            if left[0] >= 0:
                return None
            held.set()
            await asyncio.sleep(30)
            return web.Response()

        server.intercept = hang
        return held

    yield let
    server.intercept = None


def conversation(served):
    api = served["twilio"]
    return Ref("twilio", max(api.conversation_ids(), key=lambda id_: len(api.message_ids(id_))))


LISTS = [
    pytest.param(("conversations", "--provider", "twilio", "--json"), 0, id="none"),
    pytest.param(("call", "twilio", "conversations", "page_size=1"), 1, id="some"),
]


@pytest.mark.parametrize(("asked", "pages"), LISTS)
def test_who_reads_hears_how_much_there_was(served, config, hanging, asked, pages):
    held = hanging(after=pages)
    with running(*asked, "--config", config()) as process:
        assert held.wait(20)
        code, out, err = interrupted(process)
    assert (code, out.count("\n")) == (130, pages)
    assert err == f"interrupted: nothing was changed; {pages} were written out\n"


@pytest.mark.reliability
def test_to_be_terminated_is_to_be_interrupted(served, config, hanging):
    held = hanging()
    with running("show", conversation(served), "--config", config()) as process:
        assert held.wait(20)
        told = interrupted(process, signal.SIGTERM)
    assert told == (143, "", "interrupted: nothing was changed\n")


def test_a_write_under_way_may_have_been_done(served, config, hanging):
    held, ref = hanging(method="POST"), conversation(served)
    with running("send", ref, "hello", "--config", config()) as process:
        assert held.wait(20)
        code, out, err = interrupted(process)
    assert (code, out) == (130, "")
    assert err.startswith("interrupted: it may have been done; read it back")
    assert f"messages {ref}" in err


@pytest.mark.reliability
def test_a_key_says_how_to_go_on(served, config, hanging):
    held, ref = hanging(method="POST"), conversation(served)
    with running("send", ref, "hello", "--key", "k1", "--config", config()) as process:
        assert held.wait(20)
        _, _, err = interrupted(process)
    assert "with --key k1 it is done once" in err


@pytest.mark.reliability
def test_a_write_that_was_not_begun_was_not(served, config, hanging):
    """It was looked for its key first."""
    held, ref = hanging(), conversation(served)
    with running("send", ref, "hello", "--key", "k1", "--config", config()) as process:
        assert held.wait(20)
        assert interrupted(process) == (130, "", "interrupted: nothing was written\n")


@pytest.fixture
def closing(capfd, config, monkeypatch):
    """Run a command here that is interrupted while its hub closes: what it says, and its output."""
    aclose = ConversationsHub.aclose

    async def close(hub):
        await aclose(hub)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)

    monkeypatch.setattr(ConversationsHub, "aclose", close)
    settings = config()

    def run(*args):
        code = main([*map(str, args), "--config", settings])
        out, err = capfd.readouterr()
        assert code == 130
        return err, out.strip()

    return run


def test_what_was_done_is_not_denied_while_all_is_closed(served, closing):
    done, ref = closing("create", "twilio", "--title", "Begun")
    assert done == "interrupted: it was done\n"
    assert Ref.parse(ref).id in served["twilio"].conversation_ids()
    assert closing("delete", ref, "--yes") == (done, "")
    assert Ref.parse(ref).id not in served["twilio"].conversation_ids()
    assert closing("show", conversation(served))[0] == "interrupted: nothing was changed\n"


STUCK = """
import asyncio, sys
from conversations_hub import ConversationsHub
from conversations_hub.cli import main

async def close(hub):
    print("up", file=sys.stderr, flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

ConversationsHub.aclose = close
sys.exit(main())
"""


def test_what_was_done_is_not_denied_where_the_end_is_stuck(config):
    command = [sys.executable, "-c", STUCK, "create", "twilio", "--config", config()]
    with running(command=command) as process:
        assert process.stderr.readline() == "up\n"
        code, out, err = interrupted(process)
    assert (code, err) == (130, "interrupted: it was done\n")
    assert out.startswith("twilio:")


def test_what_was_done_is_not_denied_after_the_end(capsys, config, monkeypatch):
    leave = Interruption.__exit__

    def interrupt(*told):
        leave(*told)
        raise KeyboardInterrupt

    settings = config()
    monkeypatch.setattr(Interruption, "__exit__", interrupt)
    assert main(["create", "twilio", "--config", settings]) == 130
    assert capsys.readouterr().err.strip() == "interrupted: it was done"


def test_what_failed_is_told_while_all_is_closed(served, closing, hanging):
    err, _ = closing("delete", "twilio:CH0", "--yes")
    assert err.startswith("interrupted: twilio.delete: HTTP 404")

    def refuse(request):
        return web.Response(status=404 if request.method == "GET" else 500)

    served.servers["twilio"].intercept = refuse
    ref = conversation(served)
    told = closing("send", ref, "hello")[0].splitlines()[-1]
    assert told.startswith("interrupted: twilio.send: ")
    assert f"messages {ref}" in told
    assert "nothing was" not in told


@pytest.mark.reliability
def test_a_call_is_told_apart_too(served, config, hanging):
    held, ref = hanging(method="POST"), conversation(served)
    asked = ("call", "twilio", "add_participant", f"conversation={ref}", "who=ana")
    with running(*asked, "--config", config()) as process:
        assert held.wait(20)
        code, _, err = interrupted(process)
    assert code == 130
    assert "it may have been done" in err


def test_a_second_time_ends_it_at_once():
    """Even where it is stuck in writing to whom does not read."""
    options = ("--json", "--emulator", "--provider", "twilio")
    with running("conversations", *options) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
        assert process.stderr.read().startswith("interrupted: ")


@pytest.mark.reliability
def test_who_does_not_read_does_not_hold_it_up(tmp_path):
    reading, writing = os.pipe()
    with running(
        "conversations", "--json", "--emulator", "--scale", "3", stdout=writing
    ) as process:
        os.close(writing)
        os.read(reading, 10)
        begun = time.monotonic()
        while len(os.read(reading, 1)) and time.monotonic() - begun < 0.2:
            pass
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
        assert process.stderr.read() == f"interrupted: {LATE}\n"
        os.close(reading)


CLOSED = [
    ("messages", "{ref}"),
    ("conversations",),
    ("participants", "{ref}", "--json"),
    ("call", "twilio", "conversations"),
]


@pytest.mark.reliability
@pytest.mark.parametrize("args", CLOSED, ids=" ".join)
def test_a_closed_pipe_is_a_quiet_end(served, config, args):
    ref = conversation(served)
    asked = [a.format(ref=ref) for a in args]
    with running(*asked, "--config", config()) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(10) == 0


@pytest.mark.reliability
def test_interrupted_at_any_moment():
    """From when Python has loaded it: before that nobody can catch it."""
    chance = random.Random(5)
    small = ("--emulator", "--scale", "0.2")
    commands = [
        ("conversations", *small),
        ("conversations", "--json", *small),
        ("demo", "--scale", "0.1"),
        ("create", "twilio", "--title", "x", "--emulator"),
        ("call", "circuit", "conversations", *small),
    ]
    start = (
        "import sys; from conversations_hub.cli import main; "
        "print('up', file=sys.stderr, flush=True); sys.exit(main())"
    )
    for turn in range(20):
        command = [sys.executable, "-c", start, *commands[turn % len(commands)]]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr.readline() == "up\n"
            time.sleep(chance.uniform(0, 1.2))
            ended, _, err = interrupted(process)
            # While Python goes down, the signal ends it as it would end any program.
            assert ended in (0, 130, -signal.SIGINT)
            assert (ended == 130) == err.strip().startswith("interrupted: "), err
