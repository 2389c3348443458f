"""Invents people, words and times from a seed: the same seed, the same words."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""When the first conversation of every store began."""

FIRST_NAMES = (
    "Ada", "Ana", "Björn", "Chidi", "Dana", "Eun-ji", "Fatima", "Grace", "Hugo", "İlker",
    "Jürgen", "Kemal", "Lúcia", "Mei", "Noor", "Olga", "Priya", "Quentin", "Rosa", "Søren",
    "Tomás", "Uma", "Víctor", "Wren", "Xavier", "Yara", "Zoë", "דנה", "محمد", "美咲",
)  # fmt: skip
LAST_NAMES = (
    "Okafor", "Lind", "Prieto", "O'Brien", "van den Berg", "Kowalska", "Nguyễn", "Müller",
    "García", "Haddad", "Sato", "Ferreira", "Johansson", "Adeyemi", "Petrov", "D'Souza",
)  # fmt: skip
TOPICS = (
    "Boiler visit", "Deposition dates", "Refund for order 4411", "Release 7", "Lease renewal",
    "Appointment", "Invoice 2026/031", "Delivery window", "Password reset", "Office move",
    "Settlement draft", "Onboarding", "Broken screen", "Quarterly review", "Insurance claim",
)  # fmt: skip
SENTENCES = (
    "Hello, can you help me?",
    "Yes, that works for me.",
    "I'll send the papers this afternoon.",
    "Could we move it to Thursday at 10:30?",
    "The engineer is on the way.",
    "Thanks a lot!",
    "Please find the photo attached.",
    "Who is taking care of this?",
    "Let me check and come back to you.",
    "It is still not working, sorry.",
    "Confirmed.",
    "What would that cost?",
    "Our office closes at five.",
    "I have signed both copies.",
    "Perfect, see you then.",
)
HARD_TEXTS = (
    "Emoji: 👩🏽‍⚖️ 🇵🇹 👍🏿 🫠 and a family 👨‍👩‍👧‍👦",
    "Right to left: שלום עולם, مرحبا بالعالم (mixed 123 abc)",
    "Quotes: \"double\", 'single', `back`, „low“, «guillemets» and a \\ backslash",
    "Line one\nline two\r\nline three\n\n\tindented",
    "Four bytes: 𝒳𝒴𝒵 𠜎𠜱𠝹 𐍈",
    "Markup-like: <b>not bold</b> & &amp; &lt;tag&gt; a < b > c",
    "Combining: e\u0301 n\u0303 A\u030a, zero width\u200bspace, nbsp\u00a0here",
    "URL https://example.org/a/b?x=1&y=%20z#frag and a path C:\\temp\\new",
    "Percent %2F %25 {braces} [brackets] $dollar #hash ;semicolon",
    "\u202eoverride\u202c and BOM\ufeffinside",
    "Null-ish: null None undefined NaN 0 false",
    "Long: " + "the quick brown fox jumps over the lazy dog. " * 40,
)


class Corpus:
    """A stream of invented things that depends on the seed alone."""

    def __init__(self, seed: int, name: str) -> None:
        self.random: random.Random = random.Random(f"{seed}/{name}")

    def person(self) -> tuple[str, str]:
        """Return a first and a last name."""
        return self.random.choice(FIRST_NAMES), self.random.choice(LAST_NAMES)

    def topic(self) -> str:
        """Return the subject of a conversation."""
        return self.random.choice(TOPICS)

    def text(self) -> str:
        """Return what somebody writes; one in eight is hard to carry."""
        if self.random.random() < 0.125:
            return self.random.choice(HARD_TEXTS)
        return " ".join(self.random.sample(SENTENCES, self.random.randint(1, 3)))

    def phone(self) -> str:
        """Return a number in E.164 form."""
        return f"+1555{self.random.randrange(10**7):07d}"

    def hex(self, digits: int) -> str:
        """Return so many random hexadecimal digits."""
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        """Return a random UUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def pause(self, longest: timedelta = timedelta(hours=6)) -> timedelta:
        """Return the time until the next thing happens, to the millisecond; one in ten is none."""
        if self.random.random() < 0.1:
            return timedelta()
        return timedelta(
            milliseconds=self.random.randrange(int(longest / timedelta(milliseconds=1)))
        )
