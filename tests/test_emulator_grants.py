"""What an emulated authorization server remembers: pure, with a clock of its own."""

import pytest

from conversations_hub.emulator.grants import Grants

HERE = "https://client.test/back"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def grants(clock):
    return Grants(clock=clock)


def coded(grants):
    consent = grants.agree(("READ",))
    return consent, grants.code(consent, HERE, None, 60)


def test_a_code_works_once(grants):
    consent, code = coded(grants)
    assert grants.redeem(code, HERE) is consent
    assert grants.redeem(code, HERE) is None


def test_a_code_ends(grants, clock):
    _, code = coded(grants)
    clock.now += 60
    assert grants.redeem(code, HERE) is None


def test_a_code_works_until_then(grants, clock):
    consent, code = coded(grants)
    clock.now += 59.9
    assert grants.redeem(code, HERE) is consent


def test_a_code_that_went_elsewhere_is_spent(grants):
    _, code = coded(grants)
    assert grants.redeem(code, "https://thief.test/") is None
    assert grants.redeem(code, HERE) is None


def test_a_token_ends(grants, clock):
    token = grants.issue(grants.agree(), 10)
    assert grants.accepts(token)
    clock.now += 10
    assert not grants.accepts(token)


def test_a_token_without_an_end_lasts(grants, clock):
    token = grants.issue(grants.agree(), None)
    clock.now += 1e9
    assert grants.accepts(token)


def test_no_other_server_takes_it(grants, clock):
    assert not Grants(clock=clock).accepts(grants.issue(grants.agree(), None))
    assert not grants.accepts("")


def test_a_refresh_token_lasts_until_it_is_replaced(grants):
    consent = grants.agree()
    first = grants.renew(consent)
    assert grants.refreshed(first) is grants.refreshed(first) is consent
    second = grants.renew(consent)
    assert grants.refreshed(second) is consent


def test_a_replaced_refresh_token_used_again_ends_the_family(grants):
    """And no other family."""
    consent, other = grants.agree(), grants.agree()
    first, access = grants.renew(consent), grants.issue(consent, None)
    second = grants.renew(consent)
    theirs = grants.renew(other), grants.issue(other, None)
    assert grants.refreshed(first) is None
    assert grants.refreshed(second) is None
    assert not grants.accepts(access)
    assert grants.refreshed(theirs[0]) is other
    assert grants.accepts(theirs[1])


def test_revoking_ends_one_token(grants):
    consent = grants.agree()
    one, two, refresh = grants.issue(consent, 9), grants.issue(consent, 9), grants.renew(consent)
    grants.revoke(one)
    assert (grants.accepts(one), grants.accepts(two)) == (False, True)
    assert grants.refreshed(refresh) is consent
    grants.revoke(refresh)
    assert grants.accepts(two)
    assert grants.refreshed(refresh) is None


def test_withdrawing_ends_all_of_a_consent(grants):
    consent = grants.agree()
    one, two, refresh = grants.issue(consent, 9), grants.issue(consent, 9), grants.renew(consent)
    grants.withdraw(one)
    assert not grants.accepts(two)
    assert grants.refreshed(refresh) is None


def test_expiry_leaves_refresh_tokens(grants):
    consent = grants.agree()
    access, refresh = grants.issue(consent, 9), grants.renew(consent)
    grants.expire_all()
    assert not grants.accepts(access)
    assert grants.refreshed(refresh) is consent
    assert grants.accepts(grants.issue(consent, 9))


def test_what_nobody_issued_changes_nothing(grants):
    consent = grants.agree()
    access, refresh = grants.issue(consent, 9), grants.renew(consent)
    grants.revoke("unknown")
    grants.withdraw("unknown")
    assert grants.refreshed("unknown") is None
    assert grants.accepts(access)
    assert grants.refreshed(refresh) is consent
