"""The rules of messages: who may post what, what becomes of it on reception, and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversations_hub.providers.sunshine.emulator.bodies import LONGEST_TEXT, MESSAGE
from conversations_hub.providers.sunshine.emulator.files import (
    file_name,
    media_type_of,
)
from conversations_hub.providers.sunshine.emulator.markup import html_of, text_of
from conversations_hub.providers.sunshine.emulator.refusals import (
    bad_request,
    missing,
    not_found,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conversations_hub.providers.sunshine.emulator.ask import Ask

Record = dict[str, Any]

RICH = ("text", "htmlText", "markdownText")


def post(ask: Ask) -> Record:
    """Store a message; that it is delivered, only webhooks tell."""
    conversation = ask.conversation()
    body = ask.read(MESSAGE)
    author = author_of(ask, conversation, body["author"])
    silent = _is_silent(ask, conversation, body)
    contents = _contents(ask, body)
    _check_room(ask, conversation["id"], len(contents))
    more = {"metadata": body["metadata"]} if body.get("metadata") is not None else {}
    source = {"type": "api:conversations"}
    messages = [
        ask.store.post_message(
            conversation["id"],
            {"author": author, "content": content, "source": source, **more},
            at=ask.store.now(),
            silent=silent,
        )
        for content in contents
    ]
    return {"messages": messages}


def delete(ask: Ask) -> Record:
    """Delete a message; one that is deleted is not there any more."""
    conversation_id = ask.conversation()["id"]
    message_id = ask.ids["message_id"]
    if message_id not in {each["id"] for each in _live(ask, conversation_id)}:
        raise not_found("Message not found")
    ask.store.delete_message(conversation_id, message_id)
    return {}


def delete_all(ask: Ask) -> Record:
    """Delete all messages of a conversation, which makes room for others."""
    ask.store.delete_messages(ask.conversation()["id"])
    return {}


def author_of(ask: Ask, conversation: Record, author: Record) -> Record:
    """Return an author as answers show one; users must take part, businesses have no id."""
    if author["type"] == "business":
        if {"userId", "userExternalId", "brandId"} & author.keys():
            raise bad_request("author.userId is not supported for authors of type business")
        return author
    user = named_user(ask, author, author.get("brandId"))
    members = ask.store.participants(conversation["id"])
    if user["id"] not in {member["userId"] for member in members}:
        raise bad_request("User is not a member of the conversation")
    shown: Record = {
        key: author[key] for key in ("subtypes", "displayName", "avatarUrl") if key in author
    }
    return {"type": "user", "userId": user["id"], **_face(user), **shown}


def named_user(ask: Ask, names: Record, brand: str | None = None) -> Record:
    """Return the user whom a body names by one of the two ids, or refuse."""
    user_id, external_id = names.get("userId"), names.get("userExternalId")
    if (user_id is None) == (external_id is None):
        raise bad_request("Exactly one of userId and userExternalId is required")
    store = ask.store
    user = (
        store.user_by_external_id(external_id, brand)
        if external_id is not None
        else store.users.get(user_id or "")
    )
    if user is None:
        raise missing("user")
    return user


def _face(user: Record) -> Record:
    profile = user.get("profile", {})
    names = [profile[key] for key in ("givenName", "surname") if profile.get(key)]
    face = {"displayName": " ".join(names)} if names else {}
    return {**face, "avatarUrl": profile["avatarUrl"]} if profile.get("avatarUrl") else face


def _is_silent(ask: Ask, conversation: Record, body: Record) -> bool:
    """Check the destination, which only the business has, and only in personal conversations."""
    destination = body.get("destination")
    if destination is None:
        return False
    if body["author"]["type"] != "business" or conversation["type"] != "personal":
        raise bad_request("destination is not supported for this author and conversation")
    if len(destination) != 1:
        raise bad_request("Exactly one of integrationId and integrationType is required")
    if destination.get("integrationType") == "none":
        return True
    if not any(_reaches(destination, client) for client in _attached(ask, conversation)):
        raise bad_request("No client for the destination is attached to the conversation")
    return False


def _reaches(destination: Record, client: Record) -> bool:
    if "integrationId" in destination:
        return bool(client.get("integrationId") == destination["integrationId"])
    return bool(client["type"] == destination["integrationType"])


def _attached(ask: Ask, conversation: Record) -> list[Record]:
    return [
        client
        for member in ask.store.participants(conversation["id"])
        for client in ask.store.clients_of(member["userId"])
        if client["id"] in {each["clientId"] for each in member["clientAssociations"]}
    ]


def _check_room(ask: Ask, conversation_id: str, more: int) -> None:
    limit = ask.switches.message_limit
    stored = len(ask.store.messages(conversation_id))
    if stored + more > limit and len(_live(ask, conversation_id)) + more > limit:
        raise refusal(423, "locked", f"Message limit of {limit} per conversation reached.")


def _live(ask: Ask, conversation_id: str) -> Sequence[Record]:
    messages = ask.store.messages(conversation_id)
    return [message for message in messages if not message.get("deleted")]


def _contents(ask: Ask, body: Record) -> list[Record]:
    content = body["content"]
    kind = content["type"]
    _check_content(body)
    landed = LANDING.get(kind, _as_it_is)(ask, _rendered(content))
    if ask.switches.captions == "split" and kind in ("image", "file") and "text" in landed:
        caption: Record = {key: landed.pop(key) for key in ("text", "htmlText") if key in landed}
        return [{"type": "text", **caption}, landed]
    return [landed]


def _check_content(body: Record) -> None:
    content = body["content"]
    if content["type"] == "text" and not {*RICH, "actions"} & content.keys():
        raise bad_request("content needs one of text, htmlText, markdownText and actions")
    if {"htmlText", "markdownText"} <= content.keys():
        raise bad_request("content.htmlText cannot be used with content.markdownText")
    if content["type"] == "template" and body.get("schema") != "whatsapp":
        raise bad_request('schema must be "whatsapp" for a template')
    names = [each["name"] for each in content.get("fields", ())]
    if len(set(names)) < len(names):
        raise bad_request("content.fields must have unique names")


def _rendered(content: Record) -> Record:
    """Turn what was written in Markdown into HTML, and say in plain text what has none."""
    content = {**content}
    if "markdownText" in content:
        content["htmlText"] = html_of(content.pop("markdownText"))
        if len(content["htmlText"]) > LONGEST_TEXT:
            raise bad_request(f"content.htmlText must have 0 to {LONGEST_TEXT} characters")
    if "htmlText" in content:
        content.setdefault("text", text_of(content["htmlText"]))
    if "actions" in content:
        content["actions"] = [_noisy(action) for action in content["actions"]]
    return content


def _noisy(action: Record) -> Record:
    # Postbacks come back with an empty uri (§7, pitfalls).
    return {**action, "uri": ""} if action["type"] == "postback" else action


def _as_it_is(_ask: Ask, content: Record) -> Record:
    return content


def _media(ask: Ask, content: Record) -> Record:
    url = content["mediaUrl"]
    path = ask.places.path_at(url)
    if path is not None and path not in ask.store.files:
        raise bad_request("content.mediaUrl has no attachment")
    name = file_name(url)
    file = ask.store.files[path] if path is not None else None
    facts = (
        {"mediaType": file.media_type, "mediaSize": file.size}
        if file
        # What is elsewhere is not fetched here, so nobody knows its size.
        else {"mediaType": media_type_of(name)}
    )
    return {**content, **facts, "altText": content.get("altText", name[:128])}


def _items(_ask: Ask, content: Record) -> Record:
    items = [_item(item) for item in content["items"]]
    return {**content, "text": "\n\n".join(map(_listed, range(1, 11), items)), "items": items}


def _item(item: Record) -> Record:
    item = {**item, "actions": [_noisy(action) for action in item["actions"]]}
    if "mediaUrl" in item:
        item.setdefault("mediaType", media_type_of(file_name(item["mediaUrl"])))
    return item


def _listed(number: int, item: Record) -> str:
    """Write an item as the published examples do."""
    links = [f"{each['text']}: {each['uri']}" for each in item["actions"] if each.get("uri")]
    lines = [f"{number}. {item['title']}", item.get("description"), *links]
    return "\n".join(line for line in lines if line)


def _location(_ask: Ask, content: Record) -> Record:
    where = "{lat},{long}".format_map(content["coordinates"])
    text = f"Location shared:\nhttps://maps.google.com/maps?q={where}"
    return {**content, "text": text}


def _form(_ask: Ask, content: Record) -> Record:
    return {**content, "submitted": False}


LANDING: dict[str, Callable[[Ask, Record], Record]] = {
    "image": _media,
    "file": _media,
    "carousel": _items,
    "list": _items,
    "location": _location,
    "form": _form,
}
"""What becomes of content of a type when it is received."""
