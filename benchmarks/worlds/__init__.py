"""The four APIs as far as benchmarks list them: a URL goes in, the body of an answer comes out.

The records of one emulated page are repeated until there are enough, each with an id and a text of
its own. Whatever conversation is asked for has them all.
"""

from __future__ import annotations

from worlds.circuit import Circuit
from worlds.clio import Clio
from worlds.sunshine import Sunshine
from worlds.twilio import Twilio

KINDS = {"twilio": Twilio, "sunshine": Sunshine, "clio": Clio, "circuit": Circuit}
