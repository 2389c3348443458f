"""What an account's answers tell of its clock."""

import asyncio
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from conversations_hub.account import Account
from conversations_hub.watching import Watch
from conversations_hub.wire import Response
from support import Acme

LONG_AGO = "Sun, 22 Nov 2020 12:00:00 GMT"


@frozen(kw_only=True)
class Telling(Acme):
    tells_allowance = True

    moments: list = field(factory=list, eq=False, repr=False)

    def allowance(self, response, now):
        self.moments.append(now)


async def test_an_answer_without_a_date_is_not_judged_by_an_older_one():
    provider = Telling(token="t", base_url="https://acme.test")
    account = Account(provider=provider, keeper=None, gate=asyncio.Semaphore(1), watch=Watch())
    account.learn(Response(status=200, headers={"Date": LONG_AGO}))
    account.learn(Response(status=200))
    dated, undated = provider.moments
    assert dated == datetime(2020, 11, 22, 12, tzinfo=UTC)
    assert abs(datetime.now(UTC) - undated) < timedelta(minutes=1)
    # How far the clocks are apart is still known.
    assert account.earliest(datetime.now(UTC)).year == 2020
