"""The answers with which Twilio says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversations_hub.emulator.server import ApiError

if TYPE_CHECKING:
    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

BAD_PARAMETER = 20001
BAD_CREDENTIALS = 20003
NO_SUCH_METHOD = 20004
NOT_FOUND = 20404
BAD_PAGE_TOKEN = 21481
NO_CONVERSATION = 50350
NO_PARTICIPANT = 50432
NO_PAGE_TOKEN = 70002


class RefusedError(Exception):
    """What is wrong with a request, before it takes the shape of an answer."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def bad_parameter(name: str, value: str) -> RefusedError:
    """Refuse a parameter's value."""
    return RefusedError(400, BAD_PARAMETER, f"Invalid parameter {name}: {value}")


def not_found(path: str, code: int = NOT_FOUND) -> RefusedError:
    """Refuse a path; the message names it without the version (section 6)."""
    path = path.removeprefix("/v1")
    return RefusedError(404, code, f"The requested resource {path} was not found")


def error_body(refusal: RefusedError, shape: str) -> dict[str, Any]:
    """Put a refusal in one of the shapes that Twilio's errors have (section 6)."""
    more = f"https://www.twilio.com/docs/errors/{refusal.code}"
    if shape == "problem":
        return {
            "type": more,
            "title": refusal.message,
            "status": refusal.status,
            "code": refusal.code,
            "detail": refusal.message,
        }
    body = {"message": refusal.message, "more_info": more, "status": refusal.status}
    return body if shape == "codeless" else {"code": refusal.code, **body}


def api_error(refusal: RefusedError, switches: TwilioSwitches, headers: dict[str, str]) -> ApiError:
    """Return a refusal as the answer that the server sends."""
    return ApiError(refusal.status, error_body(refusal, switches.error_shape), headers)
