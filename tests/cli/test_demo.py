"""The demo, in a pipe and on a terminal."""

import re
import shlex

import pytest

from conversations_hub import PROVIDERS

ESCAPE = "\x1b"


def test_in_a_pipe(cli, monkeypatch):
    """A pipe is no terminal, whatever the environment says about colour."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    code, out, err = cli("demo", "--scale", "0.05")
    assert (code, err) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1 : len(PROVIDERS) + 1]}
    assert set(table) == set(PROVIDERS)
    assert all(int(cells[0]) > 0 for cells in table.values())
    refs = re.findall(rf"(?:{'|'.join(PROVIDERS)}):\S+", out)
    assert {ref.partition(":")[0] for ref in refs} == set(PROVIDERS)
    assert "One thread: " in out


def test_counts_are_the_emulators(served, cli):
    _, out, _ = cli("demo", "--seed", "5", "--scale", "0.05")
    for line in out.splitlines()[1 : len(PROVIDERS) + 1]:
        name, conversations, messages, participants = line.replace(",", "").split()[:4]
        api = served[name]
        ids = api.conversation_ids()
        assert int(conversations) == len(ids)
        assert int(messages) == sum(len(api.message_ids(id_)) for id_ in ids)
        assert int(participants) == sum(len(api.participant_ids(id_)) for id_ in ids)


def test_the_last_line_can_be_typed(cli):
    _, out, _ = cli("demo", "--seed", "3", "--scale", "0.05")
    words = shlex.split(out.splitlines()[-1])
    assert words[0] == "Next:"
    code, out, err = cli(*words[words.index("messages") :])
    assert (code, err) == (0, "")
    assert out


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal(cli):
    code, out, _ = cli("demo", "--scale", "0.05", "--only", "twilio", "--only", "clio")
    assert code == 0
    assert ESCAPE in out
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out)
    assert ESCAPE not in plain
    assert all(len(line) <= 100 for line in plain.splitlines()[:-1])


def test_the_seed_decides(cli):
    """Another seed, other data; the same seed, the same."""

    def lines(seed):
        _, out, _ = cli("demo", "--scale", "0.05", "--seed", seed)
        return out[out.index("The newest") :]

    assert lines(7) == lines(7)
    assert lines(7) != lines(8)
