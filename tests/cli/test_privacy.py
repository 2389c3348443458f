"""What the command line says of a failure holds no credential, and none of the words sent."""

import pytest

from conversations_hub.emulator import json_response
from conversations_hub.providers import PROVIDERS

TEXT = "canary words of a customer"


@pytest.fixture
def served(serving):
    with serving(seed=6) as emulator:
        yield emulator


def secrets_of(api):
    named = ("token", "auth_token", "secret", "api_key_secret", "client_secret")
    return [api.arguments[name] for name in named if api.arguments.get(name)]


@pytest.mark.parametrize("status", [200, 400, 401, 429])
def test_a_refusal_that_repeats_everything(served, cli, config, status):
    def echo(request):
        told = " ".join([*secrets, request.headers.get("Authorization", "")])
        body = {"message": told, "code": told, "error": {"type": told, "message": told}}
        body |= {"errors": [{"title": told, "code": told}], "errorDescription": told}
        headers = {"Retry-After": "999"} if status == 429 else {}
        return json_response(body, status, {"X-Request-Id": told, **headers})

    for name, server in served.servers.items():
        secrets = secrets_of(served[name])
        ref = f"{name}:{served[name].conversation_ids()[0]}"
        server.intercept = echo
        for command in (
            ["conversations", "--provider", name, "--json"],
            ["messages", ref, "--json"],
            ["send", ref, TEXT],
            ["send", ref, TEXT, "--json"],
            ["call", name, "conversation", f"ref={ref}"],
        ):
            code, out, err = cli(*command, "--config", config(only=[name]))
            assert code == 1, command
            assert "error: " in err
            assert not [one for one in secrets if one in out + err], command
            assert TEXT not in err
        server.intercept = None


BROKEN = {
    "no TOML": "[{name}]\ntoken = 'canary0secret\n",
    "a wrong type": "[{name}]\ntoken = ['canary0secret']\nauth_token = 7\nsecret = 7\n",
    "an unknown setting": "[{name}]\ntokn = 'canary0secret'\n",
    "a line break": '[{name}]\ntoken = "canary0secret\\n"\naccount_sid = "x"\napp_id = "x"\n',
    "a name twice": "[{name}]\ntoken = 'canary0secret'\ntoken = 'canary0secret'\n",
    "bytes": "[{name}]\ntoken = 'canary0secret\udcff'\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_settings_file(cli, tmp_path, text):
    path = tmp_path / "accounts.toml"
    for name in PROVIDERS:
        path.write_bytes(text.format(name=name).encode("utf-8", "surrogateescape"))
        code, out, err = cli("conversations", "--provider", name, "--config", path)
        assert code == 1
        assert "canary0secret" not in out + err
