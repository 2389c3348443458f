"""The ways in which the API says no, in its own shape and words."""

from __future__ import annotations

from conversations_hub.emulator.server import ApiError


def refusal(status: int, code: str, *titles: str) -> ApiError:
    """Return an error; several titles come one by one, which only a 400 does (§5)."""
    return ApiError(status, {"errors": [{"code": code, "title": title} for title in titles]})


def failed(status: int, code: str, title: str) -> ApiError:
    """Return the answer of an API that fails."""
    return refusal(status, code, title)


def bad_request(*titles: str) -> ApiError:
    """Return the answer to a request that makes no sense, or not now."""
    return refusal(400, "bad_request", *titles)


def invalid_page() -> ApiError:
    """Return the answer to page parameters that make no sense."""
    return bad_request("Invalid page query parameters")


def invalid_query() -> ApiError:
    """Return the answer to other parameters that make no sense."""
    return bad_request("Invalid query parameters")


def unauthorized() -> ApiError:
    """Return the answer to a stranger."""
    return refusal(401, "unauthorized", "Authorization is required")


def forbidden() -> ApiError:
    """Return the answer to a key whose scope does not reach so far."""
    return refusal(403, "forbidden", "Forbidden")


def missing(what: str) -> ApiError:
    """Return the answer where something is not there, by the name of its kind."""
    return refusal(404, f"{what}_not_found", f"{what.capitalize()} not found")


def not_found(title: str = "Resource not found") -> ApiError:
    """Return the answer where something is not there whose kind has no code of its own."""
    return refusal(404, "not_found", title)


def too_large() -> ApiError:
    """Return the answer to a body that is too long; its code is not documented."""
    return refusal(413, "payload_too_large", "Payload too large")


def too_many(seconds: int | None) -> ApiError:
    """Return the answer to too many requests."""
    error = refusal(429, "too_many_requests", "Too many requests")
    if seconds is not None:
        error.headers["Retry-After"] = str(seconds)
    return error
