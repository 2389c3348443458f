"""Keeps what the caller marks for themselves: favorites, labels, flags and what they muted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, mutable

from conversations_hub.providers.circuit.emulator.records import Json, Refusal

if TYPE_CHECKING:
    from conversations_hub.emulator.corpus import Corpus

LABEL_LIMIT = 250


@mutable
class Marks:
    """The marks of one user."""

    corpus: Corpus
    favorites: dict[str, None] = field(factory=dict, init=False)
    archived: set[str] = field(factory=set, init=False)
    flags: dict[str, None] = field(factory=dict, init=False)
    labels: dict[str, Json] = field(factory=dict, init=False)
    labelled: dict[str, dict[str, None]] = field(factory=dict, init=False)

    def set_favorite(self, conv_id: str, favorite: bool = True) -> None:
        """Mark a conversation for the caller, or no longer."""
        if favorite:
            self.favorites[conv_id] = None
        elif conv_id in self.favorites:
            del self.favorites[conv_id]
        else:
            raise Refusal("The conversation is not marked.")

    def set_archived(self, conv_id: str, archived: bool = True) -> None:
        """Mute a conversation for the caller, or no longer; nothing can read it back."""
        if archived:
            self.archived.add(conv_id)
        elif conv_id in self.archived:
            self.archived.remove(conv_id)
        else:
            raise Refusal("The conversation is not archived.")

    def add_label(self, value: str) -> Json:
        """Return the caller's label of that name, made if need be."""
        for label in self.labels.values():
            if label["value"] == value:
                return label
        if len(self.labels) >= LABEL_LIMIT:
            raise Refusal(f"No more than {LABEL_LIMIT} labels.")
        label = {"labelId": self.corpus.uuid(), "value": value}
        self.labels[label["labelId"]] = label
        self.labelled[label["labelId"]] = {}
        return label

    def remove_label(self, name: str) -> Json:
        """Take a label, named by its id or its value, from the caller's and off everything."""
        for label in self.labels.values():
            if name in label.values():
                del self.labelled[label["labelId"]]
                return self.labels.pop(label["labelId"])
        raise Refusal("The label does not exist.")

    def assign_label(self, conv_id: str, value: str) -> Json:
        """Put a label on a conversation."""
        label = self.add_label(value)
        self.labelled[label["labelId"]][conv_id] = None
        return label

    def unassign_label(self, conv_id: str, label_id: str) -> Json:
        """Take a label off a conversation."""
        if conv_id not in self.labelled.get(label_id, {}):
            raise Refusal("The label is not assigned.")
        del self.labelled[label_id][conv_id]
        return self.labels[label_id]

    def set_flag(self, item_id: str, flag: bool = True) -> None:
        """Bookmark an item for the caller, or no longer."""
        if flag:
            self.flags[item_id] = None
        elif item_id in self.flags:
            del self.flags[item_id]
        else:
            raise Refusal("The item is not flagged.")
