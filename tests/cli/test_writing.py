"""The commands that write, against accounts that are emulated: what they do, print and ask."""

import io
import json

import pytest
from aiohttp import web

from conversations_hub import Message, Ref
from conversations_hub.codec import loads


@pytest.fixture
def served(serving):
    """An emulator of its own: what is written stays out of the other tests."""
    with serving(seed=6) as emulator:
        yield emulator


@pytest.fixture
def circuit(served, cli, config):
    """A conversation at Circuit, begun from the command line."""
    people = served["circuit"].settings["user_ids"]
    code, out, err = cli(
        "create", "circuit", "--kind", "group", "--title", "Begun",
        "--participant", people[1], "--config", config(),
    )  # fmt: skip
    assert (code, err) == (0, "")
    return out.strip()


@pytest.fixture
def twilio(cli, config):
    code, out, err = cli("create", "twilio", "--title", "Begun", "--config", config())
    assert (code, err) == (0, "")
    return out.strip()


def read(cli, config, ref):
    code, out, _ = cli("messages", ref, "--json", "--config", config())
    assert code == 0
    return [loads(line, Message) for line in out.splitlines()]


def test_a_text_is_sent_and_its_ref_printed(cli, config, twilio):
    code, out, err = cli("send", twilio, "Hello", "--config", config())
    assert (code, err) == (0, "")
    (message,) = read(cli, config, twilio)
    assert (str(message.ref), message.text) == (out.strip(), "Hello")


def test_without_a_text_standard_input_is_sent(cli, config, twilio, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n\n"))
    code, out, _ = cli("send", twilio, "--json", "--config", config())
    assert (code, json.loads(out)["text"]) == (0, "a\nb\n")


def test_files_and_answers(cli, config, circuit, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("hello")
    _, question, _ = cli("send", circuit, "Is it open?", "--config", config())
    own = question.strip().partition(":")[2]
    code, out, err = cli(
        "send", circuit, "Yes", "--attach", path, "--reply-to", own, "--json", "--config", config()
    )
    assert (code, err) == (0, "")
    sent = loads(out, Message)
    assert sent.reply_to == Ref.parse(question.strip())
    assert [(a.name, a.size) for a in sent.attachments] == [("a.txt", 5)]


def test_a_key_is_sent_once(cli, config, twilio):
    args = ("send", twilio, "Hello", "--key", "order-7", "--config", config())
    assert cli(*args) == cli(*args)
    assert len(read(cli, config, twilio)) == 1


def test_archiving_and_back(cli, config, served):
    number = served["clio"].conversation_ids()[0]
    code, out, _ = cli("archive", f"clio:{number}", "--json", "--config", config())
    assert (code, json.loads(out)["state"]) == (0, "archived")
    code, out, _ = cli("archive", "--undo", f"clio:{number}", "--json", "--config", config())
    assert (code, json.loads(out)["state"]) == (0, "open")


def test_a_participant_is_added(cli, config, twilio):
    code, out, err = cli("add-participant", twilio, "ann@work", "--json", "--config", config())
    assert (code, err) == (0, "")
    assert json.loads(out)["user"] == "twilio:ann@work"


def test_a_reference_of_another_provider_is_nobodys_name(cli, config, twilio):
    code, _, err = cli("add-participant", twilio, "clio:user/1", "--config", config())
    assert (code, "clio:user/1 belongs to 'clio'" in err) == (1, True)


def test_deleting_asks_first(cli, config, twilio, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, err = cli("delete", twilio, "--config", config())
    assert (code, out) == (130, "")
    assert f"Delete {twilio} and all its messages?" in err
    assert cli("show", twilio, "--config", config())[0] == 0
    assert cli("delete", twilio, "--yes", "--config", config()) == (0, "", "")
    assert cli("show", twilio, "--config", config())[0] == 1


@pytest.mark.parametrize("message", ["", "twilio:"])
def test_an_empty_message_id_deletes_nothing(cli, config, twilio, message):
    """It is what an unset variable of a shell becomes."""
    code, _, err = cli("delete", twilio, message, "--yes", "--config", config())
    assert (code, "MESSAGE_ID" in err) == (2, True)
    assert cli("show", twilio, "--config", config())[0] == 0


def test_a_message_is_deleted(cli, config, twilio):
    _, message, _ = cli("send", twilio, "Hello", "--config", config())
    assert cli("delete", twilio, message.strip(), "--yes", "--config", config())[0] == 0
    assert read(cli, config, twilio) == []


def test_what_a_provider_cannot_do_is_told(cli, config, twilio):
    code, out, err = cli("archive", twilio, "--config", config())
    assert (code, out) == (1, "")
    assert err.startswith("error: twilio.archive: Twilio's API cannot do this; ")


@pytest.mark.parametrize("done", [True, False])
def test_what_nobody_answered_is_read_back(served, cli, config, twilio, done):
    """The line breaks; the command says whether it was done, and the exit code does, too."""
    server = served.servers["twilio"]

    def reset(request, answer=None):
        if request.method != "POST":
            return None
        request.transport.abort()
        return web.Response()

    setattr(server, "alter" if done else "intercept", reset)
    code, out, err = cli("send", twilio, "Hello", "--config", config())
    server.alter = server.intercept = None
    found = read(cli, config, twilio)
    if done:
        assert (code, out.strip(), err) == (
            0,
            str(found[0].ref),
            "The answer was lost, but it was done.\n",
        )
    else:
        assert (code, out, found) == (1, "", [])
        assert err.startswith("It was not done; it can be tried again.\nerror: twilio.send: POST ")


def test_any_operation_can_be_called(cli, config, served):
    code, out, err = cli("call", "twilio", "create_user", "identity=zoe", "--config", config())
    assert (code, err, json.loads(out)["identity"]) == (0, "", "zoe")
    code, out, _ = cli("call", "twilio", "users", "--limit", "2", "--config", config())
    assert (code, len(out.splitlines())) == (0, 2)
    code, out, _ = cli("call", "twilio", "delete_user", "id=zoe", "--config", config())
    assert (code, out) == (0, "")


def test_help_is_the_operations_own(cli):
    code, out, _ = cli("call", "circuit", "communities", "--help")
    assert code == 0
    assert "List the communities that can be joined: GET /conversations/community." in out
    assert "  page_size=NUMBER" in out
    code, out, _ = cli("call", "circuit", "--help")
    assert "  communities " in out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nobody"], "No such command 'nobody'"),
        (["twilio", "fly"], "No such command 'fly'"),
        (["twilio", "users", "x=1"], "there is no 'x'; there are"),
        (["twilio", "users", "page_size=x"], "page_size: 'x' is not a number"),
    ],
)
def test_wrong_calls_are_named(cli, args, told):
    code, out, err = cli("call", *args)
    assert (code, out) == (2, "")
    assert told in err


def test_an_account_of_another_name(cli, config, served, tmp_path):
    text = tmp_path / "accounts.toml"
    config(["twilio"])
    text.write_text(text.read_text().replace("[twilio]", '[support]\nprovider = "twilio"'))
    code, out, err = cli(
        "call", "twilio", "users", "--account", "support", "--limit", "1", "--config", text
    )
    assert (code, err) == (0, "")
    assert out


def test_what_cannot_be_read_back_either_may_have_been_done(served, cli, config, twilio):
    """The provider is gone: nobody knows, and the command does not sound as if nothing was done."""
    server = served.servers["twilio"]
    server.intercept = lambda request: web.Response(status=403 if request.method == "GET" else 500)
    code, out, err = cli("send", twilio, "Hello", "--config", config())
    server.intercept = None
    assert (code, out) == (1, "")
    assert err.startswith("It could not be read back: twilio.send: HTTP 403")
    assert "error: twilio.send: it may have been done: HTTP 500" in err


def test_an_accounts_own_references(served, cli, config, tmp_path, twilio):
    text = tmp_path / "accounts.toml"
    config(["twilio"])
    text.write_text(text.read_text().replace("[twilio]", '[support]\nprovider = "twilio"'))
    own = twilio.replace("twilio:", "support:")
    code, out, err = cli(
        "call", "twilio", "create_webhook", f"conversation={own}", "target=webhook",
        "url=https://a.test/", "filters=onMessageAdded", "--account", "support", "--config", text
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out
