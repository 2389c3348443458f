"""Signs tokens with a key, so that its secret is never sent (RFC 7519, HS256)."""

from __future__ import annotations

import time

from attrs import mutable

from conversations_hub.errors import ConfigurationError

# In seconds. A token is renewed in the middle of its life, for clocks that are apart.
LIFE = 3600
SCOPES = {"act": "account", "svc": "account", "int": "integration"}


@mutable
class Signer:
    """Keeps the token that it signed last, for as long as that is good."""

    _token: str = ""
    _key: tuple[str, str] = ("", "")
    _renew_at: float = 0.0

    def token(self, key_id: str, secret: str) -> str:
        """Return a token for the scope that the key has; `app` for most."""
        now = time.time()
        if now >= self._renew_at or self._key != (key_id, secret):
            claims = {"scope": scope_of(key_id), "exp": int(now) + LIFE}
            self._token = _signed(claims, key_id, secret)
            self._key, self._renew_at = (key_id, secret), now + LIFE / 2
        return self._token


def scope_of(key_id: str) -> str:
    """Return the scope of a key, which begins with its name."""
    return SCOPES.get(key_id.partition("_")[0], "app")


def _signed(claims: dict[str, object], key_id: str, secret: str) -> str:
    try:
        import jwt  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "to sign tokens takes PyJWT: python3 -m pip install 'conversations-hub[jwt]'"
        ) from None
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": key_id})
