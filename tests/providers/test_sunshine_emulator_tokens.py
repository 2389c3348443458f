"""How Sunshine's emulator judges signed tokens."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import aiohttp
import pytest

from conversations_hub.emulator.server import Server
from conversations_hub.providers.sunshine.emulator import SunshineApi, SunshineSwitches
from conversations_hub.providers.sunshine.emulator.credentials import Key

NOW = 1_790_000_000.5
APP = Key(id="app_1", secret="s3cret/+é")
INTEGRATION = Key(id="int_1", secret="other", integration="i1")


def coded(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return coded(value if isinstance(value, bytes) else json.dumps(value).encode())


def token(key=APP, claims=None, *, secret=None, digest=hashlib.sha256, **header):
    """Return a token; a header of None is left out."""
    whole = {"alg": "HS256", "typ": "JWT", "kid": key.id, **header}
    kept = {name: value for name, value in whole.items() if value is not None}
    signed = f"{part(kept)}.{part({'scope': key.scope} if claims is None else claims)}"
    mac = hmac.new((key.secret if secret is None else secret).encode(), signed.encode(), digest)
    return f"{signed}.{coded(mac.digest())}"


def unsigned(alg):
    return token(alg=alg).rpartition(".")[0] + "."


def opens(text, key=APP, leeway=0.0):
    return key.opens(f"Bearer {text}", NOW, leeway)


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(token(), id="bare"),
        pytest.param(token(typ=None), id="no typ"),
        pytest.param(token(claims={"scope": "app", "exp": int(NOW) + 1}), id="not yet expired"),
        pytest.param(token(claims={"scope": "app", "iat": int(NOW)}), id="just issued"),
        pytest.param(token(claims={"scope": "app", "iat": NOW, "nbf": NOW}), id="fractions"),
        pytest.param(token(claims={"scope": "app", "sub": "x", "jti": 1}), id="more claims"),
    ],
)
def test_a_good_token_opens(good):
    assert opens(good)
    assert APP.opens(f"bearer  {good}", NOW)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(token(alg="none"), id="signed none"),
        pytest.param(unsigned("none"), id="none"),
        pytest.param(unsigned("None"), id="None"),
        pytest.param(unsigned("HS256"), id="unsigned"),
        pytest.param(token(alg=None), id="no alg"),
        pytest.param(token(alg="HS512", digest=hashlib.sha512), id="HS512"),
        pytest.param(token(alg="HS384", digest=hashlib.sha384), id="HS384"),
        pytest.param(token(alg="RS256"), id="RS256"),
        pytest.param(token(alg="hs256"), id="lower case"),
        pytest.param(token(alg=["HS256"]), id="list"),
        pytest.param(token(kid=None), id="no kid"),
        pytest.param(token(kid="app_2"), id="other kid"),
        pytest.param(token(crit=["exp"]), id="crit"),
        pytest.param(token(secret="wrong"), id="secret"),
        pytest.param(token(secret=""), id="empty secret"),
        pytest.param(token(claims={}), id="no scope"),
        pytest.param(token(claims={"scope": "integration"}), id="less scope"),
        pytest.param(token(claims={"scope": "account"}), id="more scope"),
        pytest.param(token(claims={"scope": ["app"]}), id="scopes"),
        pytest.param(token(claims=["app"]), id="claims are a list"),
        pytest.param(token(claims={"scope": "app", "exp": int(NOW)}), id="expired"),
        pytest.param(token(claims={"scope": "app", "exp": str(int(NOW) + 9)}), id="text"),
        pytest.param(token(claims={"scope": "app", "exp": None}), id="null"),
        pytest.param(token(claims={"scope": "app", "exp": True}), id="bool"),
        pytest.param(token(claims={"scope": "app", "exp": float("nan")}), id="nan"),
        pytest.param(token(claims={"scope": "app", "iat": int(NOW) + 1}), id="not issued yet"),
        pytest.param(token(claims={"scope": "app", "iat": "now"}), id="iat is text"),
        pytest.param(token(claims={"scope": "app", "nbf": int(NOW) + 1}), id="not valid yet"),
        pytest.param(f"{token()}=", id="padded"),
        pytest.param(f"{token()}.x", id="four parts"),
        pytest.param(token().replace(".", "\n.", 1), id="line break"),
        pytest.param("..", id="empty"),
        pytest.param(f"{part(b'{')}.{part({})}.x", id="no JSON"),
        pytest.param(f"{part(b'[' * 100_000)}.{part({})}.x", id="deep"),
        pytest.param("ü.ü.ü", id="no ASCII"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_bad_token_does_not(bad):
    assert not opens(bad)


def test_an_altered_token_does_not():
    head, claims, signature = token().split(".")
    assert not opens(f"{head}.{part({'scope': 'app', 'exp': NOW + 9})}.{signature}")
    assert not opens(f"{part({'alg': 'HS256', 'kid': APP.id})}.{claims}.{signature}")
    assert not opens(f"{head}.{claims}.{signature[:-2]}")


def test_the_scope_is_the_key_s_own():
    assert opens(token(INTEGRATION), INTEGRATION)
    assert not opens(token(INTEGRATION, {"scope": "app"}), INTEGRATION)
    assert not opens(token(INTEGRATION), APP)
    assert not opens(token(INTEGRATION, kid=APP.id), APP)


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 5}, {"iat": NOW + 5}, {"nbf": NOW + 5}], ids=["exp", "iat", "nbf"]
)
def test_leeway_is_for_clocks_that_differ(claims):
    late = token(claims={"scope": "app", **claims})
    assert [opens(late, leeway=seconds) for seconds in (0, 4, 6)] == [False, False, True]


async def test_the_server_s_clock_decides():
    api = SunshineApi(seed=3, scale=0.01, switches=SunshineSwitches(leeway=2))
    server = Server(api)
    await server.start()
    claims = {"scope": "app", "iat": int(NOW), "exp": int(NOW) + 60}
    headers = {"Authorization": f"Bearer {token(api.key, claims)}"}
    url, statuses = f"{server.base_url}/v2/apps/{api.app_id}", []
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            for offset in (-3, -1, 0, 61, 63):
                api.clock = lambda: int(NOW) + offset  # noqa: B023 - asked within the round
                async with session.get(url) as answer:
                    statuses.append(answer.status)
    finally:
        await server.stop()
    assert statuses == [401, 200, 200, 200, 401]
