"""One request to change something, as the rules see it: nothing of HTTP but its words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from conversations_hub.providers.sunshine.emulator.refusals import bad_request, too_large
from conversations_hub.providers.sunshine.emulator.shapes import Reading, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conversations_hub.providers.sunshine.emulator.files import Places
    from conversations_hub.providers.sunshine.emulator.store import Store
    from conversations_hub.providers.sunshine.emulator.switches import SunshineSwitches

Record = dict[str, Any]

LONGEST_JSON = 100 * 1024


@frozen(kw_only=True)
class Ask:
    """What is asked for: by whom, of what, and with which body."""

    store: Store
    switches: SunshineSwitches
    ids: Mapping[str, str]
    """The ids in the path."""
    query: Mapping[str, str]
    raw: bytes = field(repr=False)
    content_type: str
    places: Places
    integration_id: str | None
    """The integration whose key it is; none for a key of the app."""

    def conversation(self) -> Record:
        """Return the conversation in the path, or refuse."""
        return self.store.find_conversation(self.ids["conversation_id"])

    def user(self) -> Record:
        """Return the user in the path, or refuse."""
        return self.store.find_user(self.ids["user_key"], self.query.get("brandId"))

    def integration(self) -> Record:
        """Return the integration in the path, or refuse; `me` is that of the key (§1)."""
        named = self.ids["integration_id"]
        return self.store.find_integration(self.integration_id or named if named == "me" else named)

    def read(self, shape: Shape, *, optional: bool = False) -> Record:
        """Return what is known of the body; say everything that is wrong with it."""
        if optional and not self.raw:
            return {}
        reading = Reading(self.switches.unknown_fields == "refused")
        body: Record = shape(self.json(), "", reading)
        if reading.problems:
            raise bad_request(*reading.problems)
        return body

    def json(self) -> Any:
        """Return the body, which must be of the right type and something one can write again."""
        if len(self.raw) > LONGEST_JSON:
            raise too_large()
        if self.content_type.partition(";")[0].strip().lower() != "application/json":
            raise bad_request("Content-Type must be application/json")
        try:
            body = json.loads(self.raw.decode())
            # Neither half of a surrogate pair nor a number beyond all bounds is JSON to others.
            json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise bad_request("Invalid JSON") from None
        return body
