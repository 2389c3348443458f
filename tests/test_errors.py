import pickle

import pytest
from yarl import URL

from conversations_hub import errors
from conversations_hub.errors import class_for
from conversations_hub.wire import Request, Response


def subclasses(cls):
    return [cls, *(sub for child in cls.__subclasses__() for sub in subclasses(child))]


@pytest.mark.parametrize("cls", subclasses(errors.HubError))
def test_every_error_pickles_with_all_it_knows(cls):
    error = cls("no such thing", provider="clio", operation="messages")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert str(error) == "clio.messages: no such thing"
    assert (error.status, error.code, error.request_id, error.retry_after) == (None,) * 4


def test_a_refusal_carries_what_was_asked_and_answered():
    error = errors.RateLimitError(
        "slow down",
        request=Request(url=URL("http://h/p")),
        response=Response(status=429, body=b"x"),
        code="20429",
        request_id="RQ1",
        retry_after=7.0,
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.status, copy.code, copy.request_id, copy.retry_after) == (429, "20429", "RQ1", 7.0)
    assert copy.request == error.request
    assert copy.response == error.response


@pytest.mark.parametrize(
    ("status", "name", "transient"),
    [
        (302, "StatusError", False),
        (400, "InvalidRequestError", False),
        (401, "AuthenticationError", False),
        (402, "PermissionDeniedError", False),
        (403, "PermissionDeniedError", False),
        (404, "NotFoundError", False),
        (409, "ConflictError", False),
        (410, "NotFoundError", False),
        (412, "ConflictError", False),
        (422, "InvalidRequestError", False),
        (423, "InvalidRequestError", False),
        (429, "RateLimitError", True),
        (500, "ServerError", True),
        (503, "ServerError", True),
    ],
)
def test_what_a_status_means(status, name, transient):
    cls = class_for(status)
    assert (cls.__name__, cls.transient) == (name, transient)


def test_the_tree_in_the_docstring_names_every_class():
    drawn = errors.__doc__
    for cls in subclasses(errors.HubError):
        # Other tests may have loaded errors of their own.
        assert cls.__name__ in drawn or not cls.__module__.startswith("conversations_hub")
