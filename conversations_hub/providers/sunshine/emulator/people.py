"""The rules of users and their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversations_hub.providers.sunshine.emulator.bodies import NEW_CLIENT, NEW_USER, SYNC, USER
from conversations_hub.providers.sunshine.emulator.refusals import bad_request, missing, refusal
from conversations_hub.providers.sunshine.emulator.store import stamp
from conversations_hub.providers.sunshine.emulator.talks import patched

if TYPE_CHECKING:
    from conversations_hub.providers.sunshine.emulator.ask import Ask

Record = dict[str, Any]

DEFAULT_PROFILE = {"locale": "en", "localeOrigin": "zendeskAccount"}


def create(ask: Ask) -> Record:
    """Create a user, whose external id nobody else in the brand has."""
    body = {name: value for name, value in ask.read(NEW_USER).items() if value is not None}
    external_id = body.get("externalId")
    if external_id is not None and ask.store.user_by_external_id(external_id, body.get("brandId")):
        raise refusal(409, "conflict", "User already exists")
    now = ask.store.now()
    given = _known(body.pop("profile", {}))
    fields: Record = {
        "signedUpAt": stamp(now),
        "hasPaymentInfo": False,
        "identities": [],
        "profile": given if "locale" in given else {**DEFAULT_PROFILE, **given},
        "metadata": {},
        **body,
    }
    return {"user": ask.store.create_user(at=now, **fields)}


def update(ask: Ask) -> Record:
    """Change a user; of the profile what is named, and null takes a field away."""
    user = ask.user()
    body = ask.read(USER)
    profile = body.pop("profile", {})
    patched(user, body, ask.switches.metadata_patch)
    user.setdefault("metadata", {})
    patched(user.setdefault("profile", {}), profile, "replace")
    return {"user": user}


def delete(ask: Ask) -> Record:
    """Delete a user with clients and history."""
    ask.store.delete_user(ask.user()["id"])
    return {}


def erase(ask: Ask) -> Record:
    """Erase who a user is, and keep the history."""
    user = ask.user()
    for name in ("givenName", "surname", "email", "avatarUrl"):
        user.get("profile", {}).pop(name, None)
    user["metadata"] = {}
    for client in ask.store.clients_of(user["id"]):
        for name in ("displayName", "avatarUrl", "info", "raw"):
            client.pop(name, None)
    return {"user": user}


def sync(ask: Ask) -> Record:
    """Take over what the user is in Support, where two users may have become one."""
    wanted = ask.ids["user_key"]
    users = [user for user in ask.store.users.values() if user.get("zendeskId") == wanted]
    if not users:
        raise missing("user")
    body = ask.read(SYNC, optional=True)
    for user in users:
        user["zendeskId"] = body.get("survivingZendeskId", wanted)
    return {"user": users[0]}


def add_client(ask: Ask) -> Record:
    """Ask a channel for a client; until the channel has answered, it is pending."""
    user = ask.user()
    body = ask.read(NEW_CLIENT)
    criteria = body["matchCriteria"]
    integration = ask.store.find_integration(criteria["integrationId"])
    if integration["type"] != criteria["type"]:
        raise bad_request("matchCriteria.integrationId must be of the type")
    ask.store.find_conversation(body["target"]["conversationId"])
    client = ask.store.add_client(
        user["id"],
        criteria["type"],
        at=ask.store.now(),
        integrationId=integration["id"],
        status="pending",
    )
    return {"client": client}


def remove_client(ask: Ask) -> Record:
    """Remove a client, unless it is an app that the user has."""
    user = ask.user()
    clients = ask.store.clients_of(user["id"])
    client = next((each for each in clients if each["id"] == ask.ids["client_id"]), None)
    if client is None:
        raise missing("client")
    if client["type"] == "sdk":
        raise bad_request("Cannot remove a client of type 'sdk'")
    ask.store.remove_client(user["id"], client)
    return {}


def _known(profile: Record) -> Record:
    return {name: value for name, value in profile.items() if value is not None}
