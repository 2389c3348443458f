"""Files: uploaded first, then shown in messages by their address."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Attachment, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import payloads
from conversations_hub.providers.sunshine.account import Account
from conversations_hub.questions import File
from conversations_hub.raw import Raw
from conversations_hub.reading import Record, nothing
from conversations_hub.recipes import Call
from conversations_hub.wire import Upload, upload


class Attachments(Account):
    """Operations on attachments."""

    __slots__ = ()

    @operation
    def upload_attachment(
        self, file: File, *, conversation: Ref | None = None, access: str = "public"
    ) -> Call[Attachment]:
        """Upload a file: `POST /attachments`.

        `file` is a `Path`, bytes, an async stream or an `Upload`. With a `conversation` it is
        deleted together with its message. `send(..., attachments=[it])` shows it.
        """
        return self._upload(upload(file), conversation, access=access)

    @operation
    def delete_attachment(self, attachment: Attachment | str) -> Call[None]:
        """Delete an uploaded file, by its attachment or address: `POST /attachments/remove`.

        Copies may be had for 15 minutes more, so that nobody can tell what became of a cut call.
        """
        url = attachment.url if isinstance(attachment, Attachment) else attachment
        if not url:
            raise ConfigurationError(
                "this attachment has no address", provider=self.name, operation="delete_attachment"
            )
        return Call(
            request=self._change("POST", "attachments", "remove", json={"mediaUrl": url}),
            read=nothing,
        )

    def _upload(
        self, file: Upload, conversation: Ref | None, access: str = "public"
    ) -> Call[Attachment]:
        query = {"access": access}
        if conversation is not None:
            query |= {"for": "message", "conversationId": self.id_of(conversation)}
        request = self._change("POST", "attachments", query=query)
        return Call(
            request=evolve(request, file=file, part="source"),
            read=Record(
                payload=payloads.Uploaded, translate=partial(_uploaded, file), item="attachment"
            ),
            prepares=True,
        )


def _uploaded(file: Upload, payload: payloads.Uploaded, raw: Raw | None) -> Attachment:
    del raw
    return Attachment(
        name=file.name,
        media_type=payload.media_type or file.media_type,
        size=file.size,
        url=payload.media_url,
    )
