"""What Clio's refusals say, and whether a field that was asked for is what it does not know."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conversations_hub.errors import CursorExpiredError, InvalidRequestError, StatusError
from conversations_hub.provider import Problem, json_object
from conversations_hub.providers.clio import fields
from conversations_hub.wire import Request, Response


def problem(request: Request, response: Response, added: Collection[str]) -> Problem:
    """Read a refusal: Clio's error object, OAuth's error word, or a proxy's page."""
    message, code = _said(response)
    return Problem(
        message=_explained(request, response, message, added),
        code=code,
        request_id=response.header("X-Request-Id"),
        kind=_kind(request, response),
    )


def refused_field(error: StatusError) -> str | None:
    """Return the field that was refused, if this is what the refusal is about."""
    if error.response is None or error.status != 400:
        return None
    return fields.refused(_said(error.response)[0])


def _said(response: Response) -> tuple[str, str | None]:
    """Return the message and the type of an error, as far as there are any."""
    body = json_object(response)
    error = body.get("error")
    if isinstance(error, Mapping):
        message, code = error.get("message"), error.get("type")
    else:
        message, code = body.get("error_description"), error
    return str(message or ""), str(code) if code else None


def _explained(request: Request, response: Response, message: str, added: Collection[str]) -> str:
    if response.status == 422 and _is_counted(request):
        return f"{message} Counted from the newest, Clio's lists end here; ask for the oldest first"
    if response.status == 410:
        return f"{message or 'gone'}; X-API-VERSION is invalid or retired, see api_version"
    if response.status == 412:
        return f"{message or 'changed'}; it is another version than that of if_match"
    if fields.refused(message) in added:
        return f"{message}; take it out of conversation_fields and message_fields"
    return message


def _kind(request: Request, response: Response) -> type[StatusError] | None:
    """Return what a refusal is where its status alone misleads."""
    if response.status == 410:  # it is about the version, and not about the thing asked for
        return InvalidRequestError
    # The same query was good without the token.
    lost = response.status == 422 and "page_token" in request.query and not _is_counted(request)
    return CursorExpiredError if lost else None


def _is_counted(request: Request) -> bool:
    """Return whether the pages of this order are counted, and end at 10,000 records."""
    return "page_token" in request.query and request.query.get("order") != "id(asc)"
