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
CONFLICT = 20409
TOO_MANY_REQUESTS = 20429
SERVER_ERROR = 20500
BAD_PAGE_TOKEN = 21481
BODY_TOO_LONG = 21617
USER_EXISTS = 50201
TOO_MANY_CONVERSATIONS = 50214
NO_CONVERSATION = 50350
UNIQUE_NAME_TAKEN = 50353
TOO_MANY_WEBHOOKS = 50361
CLOSED = 50377
TIMERS_WITHOUT_STATE = 50382
UNIQUE_NAME_IS_SID = 50390
BAD_ADDRESS = 50407
BAD_PROXY = 50408
SAME_ADDRESSES = 50409
PAIR_TAKEN = 50416
TOO_MANY_PARTICIPANTS = 50417
BINDING_NOT_ALLOWED = 50420
TOO_MANY_OUTSIDE = 50422
TOO_MANY_AT_ONCE = 50426
NO_PARTICIPANT = 50432
IDENTITY_TAKEN = 50433
GROUP_ADDRESS_TAKEN = 50437
GROUP_EXISTS = 50438
NO_PROXY_HERE = 50441
NO_PROJECTED_HERE = 50443
NO_PAGE_TOKEN = 70002

# Refused for their number: 403 in the predecessor Chat API, which may be 400 here (section 6).
LIMITS = {
    TOO_MANY_CONVERSATIONS,
    TOO_MANY_WEBHOOKS,
    TOO_MANY_PARTICIPANTS,
    TOO_MANY_OUTSIDE,
    TOO_MANY_AT_ONCE,
}
# Of these, the documents tell the meaning, from which the status is no more than inferred.
INFERRED = {NO_CONVERSATION, NO_PARTICIPANT, GROUP_ADDRESS_TAKEN, GROUP_EXISTS}


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


def bad_request(code: int, message: str) -> RefusedError:
    """Refuse what a request asks for."""
    return RefusedError(400, code, message)


def conflict(code: int, message: str) -> RefusedError:
    """Refuse what something else is in the way of."""
    return RefusedError(409, code, message)


def limit(code: int, message: str) -> RefusedError:
    """Refuse one more of what there may only be so many of."""
    return RefusedError(403, code, message)


def not_found(path: str, code: int = NOT_FOUND) -> RefusedError:
    """Refuse a path; the message names it without the version (section 6)."""
    path = path.removeprefix("/v1")
    return RefusedError(404, code, f"The requested resource {path} was not found")


def error_body(refusal: RefusedError, switches: TwilioSwitches) -> dict[str, Any]:
    """Put a refusal in one of the shapes that Twilio's errors have (section 6)."""
    more, status = (
        f"https://www.twilio.com/docs/errors/{refusal.code}",
        status_of(refusal, switches),
    )
    if switches.error_shape == "problem":
        return {
            "type": more,
            "title": refusal.message,
            "status": status,
            "code": refusal.code,
            "detail": refusal.message,
        }
    body = {"message": refusal.message, "more_info": more, "status": status}
    return body if switches.error_shape == "codeless" else {"code": refusal.code, **body}


def status_of(refusal: RefusedError, switches: TwilioSwitches) -> int:
    """Return the status of a refusal, which for some is uncertain."""
    if refusal.code in INFERRED and switches.inferred_status == "plain":
        return 400
    return switches.limit_status if refusal.code in LIMITS else refusal.status


def api_error(refusal: RefusedError, switches: TwilioSwitches, headers: dict[str, str]) -> ApiError:
    """Return a refusal as the answer that the server sends."""
    return ApiError(status_of(refusal, switches), error_body(refusal, switches), headers)
