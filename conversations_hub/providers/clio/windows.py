"""What Clio's answers tell of the requests that a token has left."""

from __future__ import annotations

from datetime import datetime

from conversations_hub.allowance import Allowance
from conversations_hub.wire import Response

# A window is a minute (Clio, "Rate Limits"); whatever the clocks say, it is over after that.
WINDOW = 60.0


def allowance(response: Response, now: datetime) -> Allowance | None:
    """Read the three headers, which most answers have."""
    try:
        limit = int(response.headers["X-RateLimit-Limit"])
        remaining = int(response.headers["X-RateLimit-Remaining"])
        reset = float(response.headers["X-RateLimit-Reset"])
        left = min(max(0.0, reset - now.timestamp()), WINDOW + 1.0)
    except (KeyError, ValueError, OverflowError):
        return None
    if limit < 1:
        return None
    return Allowance(limit=limit, remaining=max(0, remaining), seconds=left, window=reset)
