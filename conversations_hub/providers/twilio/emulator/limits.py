"""Knows how long and how many things may be at Twilio (section 3)."""

from __future__ import annotations

from datetime import timedelta

NAME = 256
IDENTITY = 256
ADDRESS = 256
SUBJECT = 256
# In bytes of UTF-8.
BODY = 32 * 1024
CONVERSATION_ATTRIBUTES = 16 * 1024
ATTRIBUTES = 4 * 1024

SMS_BODY = 1600
"""Characters that fit into what goes out by SMS or WhatsApp."""

PARTICIPANTS = 1000
OUTSIDE = 50
"""Participants of a conversation who are not in the chat."""
OUTSIDE_GROUP = 10
AT_ONCE = 10
CONVERSATIONS = 1000
"""Active and inactive conversations of one identity."""
WEBHOOKS = 5

INACTIVE_TIMER = timedelta(minutes=1)
CLOSED_TIMER = timedelta(minutes=10)
