"""Clio Manage: all of its operations on conversations, under one account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from conversations_hub.providers.clio.letters import Letters
from conversations_hub.providers.clio.webhooks import Webhooks


@frozen(kw_only=True)
class Clio(Letters, Webhooks):
    """A user's account at Clio Manage; tokens are of one region and unknown in the others.

    `conversation_fields` and `message_fields` are asked for besides what the models need, and
    found in `raw`. `api_version` pins a minor version such as `4.0.9`.
    """

    nearest: ClassVar[Mapping[str, str]] = {
        "edit": "a message stays as it was sent; send another",
        "delete_message": "a message stays; archive puts its conversation away",
        "update": "a conversation keeps its subject; update_conversation sets archived, read and "
        "the matter",
        "close": "archive puts it away, for the token's user",
        "delete": "archive puts it away, for the token's user",
        "add_participant": "write to them: send(…, receivers=…)",
        "remove_participant": "members stay; leave them out of send(…, receivers=…)",
    }
