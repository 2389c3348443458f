"""Judges the Authorization header: Basic, or a JWT signed with the key's secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64decode, urlsafe_b64decode

from attrs import field, frozen


@frozen(kw_only=True)
class Key:
    """An API key: the app's, or that of one integration."""

    id: str
    secret: str = field(repr=False)
    integration: str | None = None

    @property
    def scope(self) -> str:
        """How far the key reaches."""
        return "app" if self.integration is None else "integration"

    def opens(self, authorization: str) -> bool:
        """Tell whether the header proves that its sender has the key."""
        scheme, _, proof = authorization.partition(" ")
        judge = {"basic": self._is_pair, "bearer": self._is_token}.get(scheme.lower())
        try:
            return judge is not None and judge(proof.strip())
        except ValueError:  # neither base64 nor JSON
            return False

    def _is_pair(self, proof: str) -> bool:
        pair = f"{self.id}:{self.secret}".encode()
        return hmac.compare_digest(b64decode(proof, validate=True), pair)

    def _is_token(self, proof: str) -> bool:
        parts = proof.split(".")
        if len(parts) != 3:
            return False
        head, claims, signature = parts
        return (
            self._is_header(_decoded(head))
            and hmac.compare_digest(_bytes(signature), self._signature(f"{head}.{claims}"))
            and _is_current(_decoded(claims), self.scope)
        )

    def _is_header(self, header: object) -> bool:
        # An unsigned token ("alg": "none") is refused.
        return (
            isinstance(header, dict)
            and header.get("alg") == "HS256"
            and header.get("kid") == self.id
        )

    def _signature(self, signed: str) -> bytes:
        return hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()


def _is_current(claims: object, scope: str) -> bool:
    if not isinstance(claims, dict) or claims.get("scope") != scope:
        return False
    expires = claims.get("exp")
    return expires is None or (isinstance(expires, int | float) and expires > time.time())


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _decoded(part: str) -> object:
    decoded: object = json.loads(_bytes(part))
    return decoded
