"""Judges the Authorization header: Basic, or a JWT signed with the key's secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode, urlsafe_b64decode
from math import inf

from attrs import field, frozen

BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


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

    def opens(self, authorization: str, now: float, leeway: float = 0.0) -> bool:
        """Tell whether the header proves, at this time, that its sender has the key."""
        scheme, _, proof = authorization.partition(" ")
        proof = proof.strip()
        try:
            match scheme.lower():
                case "basic":
                    return self._is_pair(proof)
                case "bearer":
                    return self._is_token(proof, now, leeway)
                case _:
                    return False
        except (ValueError, RecursionError):  # neither base64 nor JSON
            return False

    def _is_pair(self, proof: str) -> bool:
        pair = f"{self.id}:{self.secret}".encode()
        return hmac.compare_digest(b64decode(proof, validate=True), pair)

    def _is_token(self, proof: str, now: float, leeway: float) -> bool:
        parts = proof.split(".")
        if len(parts) != 3:
            return False
        head, claims, signature = parts
        return (
            self._is_header(_decoded(head))
            and hmac.compare_digest(_bytes(signature), self._signature(f"{head}.{claims}"))
            and self._is_claim(_decoded(claims), now, leeway)
        )

    def _is_header(self, header: object) -> bool:
        # An unsigned token ("alg": "none") is refused, and one with extensions (RFC 7515, 4.1.11).
        return (
            isinstance(header, dict)
            and header.get("alg") == "HS256"
            and header.get("kid") == self.id
            and "crit" not in header
        )

    def _is_claim(self, claims: object, now: float, leeway: float) -> bool:
        return (
            isinstance(claims, dict)
            and claims.get("scope") == self.scope
            and _seconds(claims.get("exp", inf)) > now - leeway
            and _seconds(claims.get("nbf", -inf)) <= now + leeway
            and _seconds(claims.get("iat", -inf)) <= now + leeway
        )

    def _signature(self, signed: str) -> bytes:
        return hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("times are numbers (RFC 7519, section 2)")  # noqa: TRY004 - the sender's
    return value


def _bytes(part: str) -> bytes:
    if not BASE64URL.fullmatch(part):
        raise ValueError("the parts have no padding (RFC 7515, section 2)")
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _decoded(part: str) -> object:
    decoded: object = json.loads(_bytes(part))
    return decoded
