"""Which operation each method and path is, and what it answers with when all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from conversations_hub.providers.sunshine.emulator import account, people, posting, talks
from conversations_hub.providers.sunshine.emulator.ask import Ask

Record = dict[str, Any]

CONVERSATION = "/conversations/{conversation_id}"
USER = "/users/{user_key}"
INTEGRATION = "/integrations/{integration_id}"
KEY = f"{INTEGRATION}/keys/{{key_id}}"
WEBHOOK = f"{INTEGRATION}/webhooks/{{webhook_id}}"


@frozen
class Operation:
    """One operation: where it is, its rule and its status."""

    method: str
    path: str
    rule: Callable[[Ask], Record]
    status: int = 200


OPERATIONS: tuple[Operation, ...] = (
    Operation("PATCH", "", account.update_app),
    Operation("DELETE", "", account.delete_app),
    Operation("POST", "/attachments", account.upload, 201),
    Operation("POST", "/attachments/remove", account.remove_attachment),
    Operation("POST", "/conversations", talks.create, 201),
    Operation("PATCH", CONVERSATION, talks.update),
    Operation("DELETE", CONVERSATION, talks.delete),
    Operation("POST", f"{CONVERSATION}/join", talks.join, 201),
    Operation("POST", f"{CONVERSATION}/leave", talks.leave),
    Operation("POST", f"{CONVERSATION}/activity", talks.be_active),
    Operation("POST", f"{CONVERSATION}/passControl", talks.pass_control),
    Operation("POST", f"{CONVERSATION}/offerControl", talks.offer_control),
    Operation("POST", f"{CONVERSATION}/acceptControl", talks.accept_control),
    Operation("POST", f"{CONVERSATION}/releaseControl", talks.release_control),
    Operation("POST", f"{CONVERSATION}/download", talks.download),
    Operation("POST", f"{CONVERSATION}/conversionEvents", talks.convert),
    Operation("POST", f"{CONVERSATION}/messages", posting.post, 201),
    Operation("DELETE", f"{CONVERSATION}/messages", posting.delete_all),
    Operation("DELETE", f"{CONVERSATION}/messages/{{message_id}}", posting.delete),
    Operation("POST", "/users", people.create, 201),
    Operation("PATCH", USER, people.update),
    Operation("DELETE", USER, people.delete),
    Operation("DELETE", f"{USER}/personalinformation", people.erase),
    Operation("POST", f"{USER}/sync", people.sync),
    Operation("POST", f"{USER}/clients", people.add_client, 201),
    Operation("DELETE", f"{USER}/clients/{{client_id}}", people.remove_client),
    Operation("POST", "/integrations", account.add_integration, 201),
    Operation("PATCH", INTEGRATION, account.update_integration),
    Operation("DELETE", INTEGRATION, account.delete_integration),
    Operation("GET", f"{INTEGRATION}/keys", account.list_keys),
    Operation("POST", f"{INTEGRATION}/keys", account.add_key, 201),
    Operation("GET", KEY, account.show_key),
    Operation("DELETE", KEY, account.delete_key),
    Operation("POST", f"{INTEGRATION}/webhooks", account.add_webhook, 201),
    Operation("PATCH", WEBHOOK, account.update_webhook),
    Operation("DELETE", WEBHOOK, account.delete_webhook),
)
