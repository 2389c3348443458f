"""Changes what the caller says about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from conversations_hub.providers.circuit.emulator.records import Json, Refusal, wire
from conversations_hub.providers.circuit.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {"firstname": "firstName", "lastname": "lastName", "jobTitle": "jobTitle"}
"""What is written under one name and read under another."""
LOCALES = {
    "EN_US": "en-US", "DE_DE": "de-DE", "EN_GB": "en-GB", "ES_ES": "es-ES", "FR_FR": "fr-FR",
    "IT_IT": "it-IT", "RU_RU": "ru-RU", "ZH_HANS_CN": "zh-Hans-CN", "PT_BR": "pt-BR",
    "NL_NL": "nl-NL", "CA_ES": "ca-ES",
}  # fmt: skip


@frozen
class Profile:
    """The caller's own records."""

    store: Store

    def update(self, changes: Mapping[str, str | None], locale: str) -> Json:
        """Change what was sent; an empty text removes."""
        user = self.store.users[self.store.me]
        for name, value in changes.items():
            if value is not None:
                user[NAMES[name]] = value
        if locale:
            user["locale"] = LOCALES[locale]
        names = [user.get("firstName"), user.get("lastName")]
        user["displayName"] = " ".join(filter(None, names))
        return self._kept(user)

    def set_presence(self, state: str, until: int | None, clear: bool, message: str | None) -> Json:
        """Say where the caller is; not to be disturbed needs an end."""
        if not state:
            raise Refusal("state is required.")
        if state == "DND" and until is None and not clear:
            raise Refusal("dndUntil is required for the state DND.")
        presence = self.store.presences[self.store.me]
        presence |= {"state": state, "dndUntil": until if state == "DND" and not clear else None}
        if message is not None:
            presence["statusMessage"] = message or None
        return self._kept(presence)

    def _kept(self, record: Json) -> Json:
        """Leave out of a record what is empty."""
        kept = wire(**{name: None if value == "" else value for name, value in record.items()})
        record.clear()
        record.update(kept)
        return record
