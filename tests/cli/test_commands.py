"""The commands against emulated accounts: what they print and how they end."""

import asyncio
import json
import re
import shlex
import signal
import subprocess
import sys

import pytest
from aiohttp import web

from conversations_hub import PROVIDERS, Conversation, Message, Participant
from conversations_hub.cli import main
from conversations_hub.cli.commands import _exports
from conversations_hub.codec import loads

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
PROGRAM = (sys.executable, "-m", "conversations_hub")
SMALL = ("--emulator", "--seed", "5", "--scale", "0.05")


def from_hub(emulator, question):
    """Ask a hub directly what a command is going to be asked."""

    async def ask():
        async with emulator.hub() as hub:
            return await question(hub).collect(limit=None)

    return asyncio.run(ask())


def of_lines(out, model):
    return [loads(line, model) for line in out.splitlines()]


@pytest.mark.parametrize("name", PROVIDERS)
def test_json_lines_are_what_the_hub_gives(served, config, cli, name):
    settings = ("--json", "--config", config())
    conversations = from_hub(served, lambda hub: hub.conversations(name))
    code, out, err = cli("conversations", "--provider", name, *settings)
    assert (code, of_lines(out, Conversation), err) == (0, conversations, "")

    ref = conversations[0].ref
    code, out, err = cli("messages", ref, *settings)
    messages = from_hub(served, lambda hub: hub.messages(ref))
    assert (code, of_lines(out, Message), err) == (0, messages, "")

    code, out, err = cli("participants", ref, *settings)
    participants = from_hub(served, lambda hub: hub.participants(ref))
    assert (code, of_lines(out, Participant), err) == (0, participants, "")


def test_json_keeps_raw(config, cli):
    _, out, _ = cli("conversations", "--provider", "twilio", "--json", "--config", config())
    assert json.loads(out.splitlines()[0])["raw"]["sid"].startswith("CH")


def test_all_accounts_at_once(served, config, cli):
    """In a pipe each conversation is a line, its reference whole and in front."""
    code, out, err = cli("conversations", "--config", config())
    assert (code, err) == (0, "")
    refs = sorted(line.split("\t")[0] for line in out.splitlines())
    everything = from_hub(served, lambda hub: hub.conversations())
    assert refs == sorted(str(conversation.ref) for conversation in everything)
    assert not CONTROL.search(out.replace("\t", ""))


def test_messages_in_a_pipe_are_lines_oldest_first(served, config, cli):
    ref = from_hub(served, lambda hub: hub.conversations("sunshine"))[0].ref
    _, out, _ = cli("messages", ref, "--config", config())
    messages = from_hub(served, lambda hub: hub.messages(ref, order="oldest"))
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(m.ref) for m in messages]


def test_show(served, config, cli):
    ref = from_hub(served, lambda hub: hub.conversations("twilio"))[-1].ref
    message = from_hub(served, lambda hub: hub.messages(ref))[0]
    code, out, _ = cli("show", ref, "--config", config())
    assert (code, out.splitlines()[0]) == (0, f"ref\t{ref}")
    for id_ in (message.ref, message.ref.id):
        code, out, _ = cli("show", ref, id_, "--json", "--config", config())
        assert (code, loads(out, Message)) == (0, message)


def test_filters(served, config, cli):
    """A date without an offset is in UTC; the participant may be a reference."""
    conversations = from_hub(served, lambda hub: hub.conversations("twilio"))
    moment = sorted(c.created_at for c in conversations)[len(conversations) // 2]
    args = ("conversations", "--provider", "twilio", "--json", "--config", config())
    _, out, _ = cli(*args, "--created-after", f"{moment:%Y-%m-%dT%H:%M:%S}")
    expected = [c for c in conversations if c.created_at >= moment]
    assert of_lines(out, Conversation) == expected
    _, out, _ = cli(*args, "--state", "closed", "--limit", "1")
    assert [c.state for c in of_lines(out, Conversation)] == ["closed"]
    _, out, _ = cli(*args, "--participant", "twilio:nobody")
    assert out == ""


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        pytest.param(("messages", "nonsense"), 2, "write PROVIDER:ID", id="bad ref"),
        pytest.param(("conversations", "--created-after", "soon"), 2, "ISO 8601", id="bad date"),
        pytest.param(("conversations", "--config", "no-such-file"), 2, "no-such-file", id="file"),
        pytest.param(("frobnicate",), 2, "No such command", id="unknown command"),
        pytest.param(("messages", "acme:1"), 1, "no provider 'acme'", id="unknown provider"),
        pytest.param(
            ("conversations", "--emulator", "--provider", "acme"), 1, "there are twilio", id="emu"
        ),
        pytest.param(("conversations",), 1, "TWILIO_ACCOUNT_SID", id="no accounts"),
        pytest.param(("messages", "twilio:CH1"), 1, "TWILIO_ACCOUNT_SID", id="no credentials"),
        pytest.param(("show", "twilio:CH1", *SMALL), 1, "HTTP 404", id="not found"),
    ],
)
def test_how_commands_fail(cli, args, code, words):
    ended, out, err = cli(*args)
    assert (ended, out) == (code, "")
    assert words in err
    assert "rror: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("twilio = 1", "write [twilio]", id="no table"),
        pytest.param("[acme]", "provider = one of twilio", id="unknown provider"),
        pytest.param("[clio", "accounts.toml", id="no TOML"),
        pytest.param("", "no accounts", id="empty"),
        pytest.param("[twilio]\naccount_sid = 'AC1'", "auth_token", id="incomplete"),
        pytest.param("[clio]\ntokken = 'x'", "no setting tokken", id="misspelt"),
    ],
)
def test_how_settings_fail(cli, tmp_path, text, words):
    path = tmp_path / "accounts.toml"
    path.write_text(text)
    code, out, err = cli("conversations", "--config", path)
    assert (code, out) == (1, "")
    assert words in err


def test_an_account_can_have_any_name(served, cli, tmp_path):
    settings = {"base_url": served.base_url("clio"), **served["clio"].arguments}
    lines = ["[office]", 'provider = "clio"', *(f"{k} = {v!r}" for k, v in settings.items())]
    path = tmp_path / "accounts.toml"
    path.write_text("\n".join(lines))
    code, out, _ = cli("conversations", "--provider", "office", "--config", path)
    assert (code, out.partition(":")[0]) == (0, "office")


def test_one_account_fails_and_the_others_go_on(served, config, cli):
    wrong = "an-invented-secret"
    path = config(twilio={"auth_token": wrong})
    code, out, err = cli("conversations", "--config", path)
    names = {line.partition(":")[0] for line in out.splitlines()}
    assert (code, names) == (1, set(PROVIDERS) - {"twilio"})
    assert err.startswith("error: twilio.conversations: HTTP 401")
    assert len(err.splitlines()) == 1
    assert wrong not in err


def test_who_cannot_be_asked_is_set_aside(config, cli):
    """Twilio has no archive; the others are asked nevertheless."""
    code, _, err = cli("conversations", "--state", "archived", "--config", config())
    assert code == 1
    assert err.startswith("error: twilio.conversations: ")
    assert "clio" not in err


def test_exports_are_what_the_environment_needs(served, cli, monkeypatch):
    """What `emulate` prints, typed into a shell, leads the other commands to the emulator."""
    for line in _exports(served):
        _, assignment = shlex.split(line)
        monkeypatch.setenv(*assignment.split("=", 1))
    code, out, err = cli("conversations")
    assert (code, err) == (0, "")
    assert {line.partition(":")[0] for line in out.splitlines()} == set(PROVIDERS)


def test_a_refusal_cannot_command_the_terminal(served, config, cli):
    server = served.servers["twilio"]
    server.intercept = lambda _: web.json_response(
        {"code": 20003, "message": "\x1b]0;owned\x07 \x9b2J [bold]no[/bold] \u202e"}, status=403
    )
    try:
        code, _, err = cli("conversations", "--config", config(only=["twilio"]))
    finally:
        server.intercept = None
    assert code == 1
    assert r"\x1b]0;owned\x07 \x9b2J [bold]no[/bold] \u202e" in err
    assert not CONTROL.search(err)


def test_a_reader_that_leaves_is_no_error():
    command = [*PROGRAM, "conversations", "--json", "--emulator", "--provider", "twilio"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b'{"ref":"twilio:')
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("sent", "code"),
    [pytest.param(signal.SIGTERM, 0, id="SIGTERM"), pytest.param(signal.SIGINT, 130, id="Ctrl-C")],
)
def test_emulate_runs_until_it_is_told_to_stop(sent, code):
    command = [*PROGRAM, "emulate", "--json", "--scale", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        settings = json.loads(process.stdout.readline())
        process.send_signal(sent)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err.strip()) == (code, b"", b"")
    assert set(settings) == set(PROVIDERS)
    assert all(account["base_url"].startswith("http://127.0.0.1:") for account in settings.values())


def test_without_the_extra_it_says_what_to_install():
    """The package itself needs neither click nor rich."""
    code = (
        "import sys; sys.modules['click'] = sys.modules['rich'] = None; import conversations_hub;"
        "from conversations_hub.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "conversations-hub[cli]" in done.stderr


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("demo", "conversations", "messages", "participants", "show", "emulate"):
        assert f"\n  {command} " in out
