"""Hypothesis: any model."""

from datetime import UTC

from hypothesis import strategies as st

from conversations_hub import (
    Attachment,
    Author,
    Conversation,
    ConversationKind,
    ConversationState,
    Direction,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Ref,
    Role,
)
from conversations_hub.raw import Raw

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = lambda strategy: st.none() | strategy  # noqa: E731
names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
refs = st.builds(Ref, names, words.filter(bool))
times = st.datetimes(timezones=st.just(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(words, json_values, max_size=3)
authors = st.builds(Author, ref=maybe(refs), name=maybe(words), role=st.sampled_from(Role))
attachments = st.builds(
    Attachment,
    id=maybe(words),
    name=maybe(words),
    media_type=maybe(words),
    size=maybe(st.integers(0, 2**40)),
    url=maybe(words),
)
raws = maybe(st.builds(Raw.of, objects))
conversations = st.builds(
    Conversation,
    ref=refs,
    kind=st.sampled_from(ConversationKind),
    state=maybe(st.sampled_from(ConversationState)),
    title=maybe(words),
    description=maybe(words),
    created_at=maybe(times),
    updated_at=maybe(times),
    last_message_at=maybe(times),
    members=maybe(st.lists(refs, max_size=3).map(tuple)),
    metadata=objects,
    raw=raws,
)
messages = st.builds(
    Message,
    ref=refs,
    conversation=refs,
    kind=st.sampled_from(MessageKind),
    direction=st.sampled_from(Direction),
    author=maybe(authors),
    recipients=st.lists(authors, max_size=2).map(tuple),
    subject=maybe(words),
    text=maybe(words),
    html=maybe(words),
    attachments=st.lists(attachments, max_size=2).map(tuple),
    reply_to=maybe(refs),
    state=st.sampled_from(MessageState),
    sent_at=maybe(times),
    updated_at=maybe(times),
    metadata=objects,
    raw=raws,
)
participants = st.builds(
    Participant,
    ref=refs,
    conversation=refs,
    user=maybe(refs),
    name=maybe(words),
    role=st.sampled_from(Role),
    channel=maybe(words),
    address=maybe(words),
    joined_at=maybe(times),
    last_read_at=maybe(times),
    metadata=objects,
    raw=raws,
)
models = conversations | messages | participants
