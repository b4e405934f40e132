"""Which of the policies that a source offers may be served."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.policies.gate import Floor, Gate, Verdict
from service.policies.keys import Keyring
from service.policies.offers import Offer, Refusal
from tests.unit.service.policies.samples import (
    BAD,
    ENGINES,
    KEY,
    KEYRING,
    OTHER_KEY,
    START,
    Clock,
    signed,
    text,
)

pytestmark = pytest.mark.unit


def judged(
    *offered: bytes, floor: Floor | None = None, keyring: Keyring | None = KEYRING, **options: Any
) -> Verdict:
    gate = Gate(ENGINES, keyring, now=Clock(), **options)
    return gate.judge([Offer(f"{place}.bundle.json", data) for place, data in enumerate(offered)], floor)


def accepted(verdict: Verdict) -> int | None:
    return verdict.accepted and verdict.accepted.policy.version


def reasons(verdict: Verdict) -> list[str]:
    return [reason for refusal in verdict.refusals for reason in refusal.reasons]


def after(version: int, policy: str = "") -> Floor:
    """The floor that a bundle of ``version`` leaves."""
    floor = Gate(ENGINES, KEYRING).floor(Offer("last", signed(version, policy=policy or text(version))))
    assert floor is not None
    return floor


# -- signatures ---------------------------------------------------------------------------------------------------
def test_a_bundle_that_a_trusted_key_signed_is_accepted_in_the_name_of_that_key() -> None:
    verdict = judged(signed(3))
    assert accepted(verdict) == 3
    assert verdict.accepted is not None
    assert verdict.accepted.signer == KEY.public.id


def test_a_bundle_of_a_key_that_is_not_trusted_is_refused() -> None:
    verdict = judged(signed(3, key=OTHER_KEY))
    assert accepted(verdict) is None
    assert "is not signed by a trusted key" in reasons(verdict)[0]


def test_while_a_key_takes_over_from_another_both_are_trusted() -> None:
    both = Keyring((KEY.public, OTHER_KEY.public))
    assert accepted(judged(signed(3), keyring=both)) == 3
    assert accepted(judged(signed(3, key=OTHER_KEY), keyring=both)) == 3


def test_with_keys_a_policy_that_is_not_signed_is_refused() -> None:
    gate = Gate(ENGINES, KEYRING)
    verdict = gate.judge([Offer("support.yaml", text(1).encode())])
    assert accepted(verdict) is None
    assert reasons(verdict)[0].startswith(
        "support.yaml: is not a signed bundle, and nothing else is accepted"
    )


def test_without_keys_a_bundle_is_refused_for_nobody_vouches_for_it() -> None:
    verdict = judged(signed(3), keyring=None)
    assert accepted(verdict) is None
    assert "set PATCHBAY_POLICY_KEYS" in reasons(verdict)[0]


# -- what is in a bundle ----------------------------------------------------------------------------------------------
def test_a_bundle_with_a_policy_that_has_errors_is_refused_with_their_places() -> None:
    verdict = judged(signed(9, policy=text(9)), signed(10, policy=BAD))
    assert accepted(verdict) == 9
    assert [reason.split(": ")[0] for reason in reasons(verdict)] == [
        "1.bundle.json/policy.yaml:2:25",
        "1.bundle.json/policy.yaml:5:23",
    ]


@pytest.mark.parametrize(
    "claims",
    [{"name": "sales", "policy": text(3)}, {"version": 4, "policy": text(3)}, {"policy_hash": "0" * 64}],
    ids=["name", "version", "hash"],
)
def test_a_bundle_that_claims_something_else_than_its_policy_is_refused(claims: dict[str, Any]) -> None:
    verdict = judged(signed(**{"version": 3, **claims}))
    assert accepted(verdict) is None
    assert "claims" in reasons(verdict)[0]


def test_a_policy_that_names_an_engine_that_is_not_in_the_catalogue_is_refused() -> None:
    gate = Gate(("standard",), KEYRING)
    assert accepted(gate.judge([Offer("a", signed(1))])) is None


# -- versions ---------------------------------------------------------------------------------------------------------
def test_the_highest_version_that_may_be_served_is() -> None:
    verdict = judged(signed(2), signed(11), signed(12, key=OTHER_KEY), signed(9))
    assert accepted(verdict) == 11
    assert len(reasons(verdict)) == 1


def test_nothing_is_said_of_versions_below_the_one_that_is_served() -> None:
    assert reasons(judged(signed(1), signed(2), signed(3), floor=after(2))) == []


def test_a_lower_version_than_the_last_is_refused() -> None:
    verdict = judged(signed(2), signed(1), floor=after(3))
    assert accepted(verdict) is None
    [reason] = reasons(verdict)
    assert "version 3 was accepted before" in reason


def test_the_same_version_with_another_content_is_refused() -> None:
    verdict = judged(signed(3, policy=text(3, route="tool")), floor=after(3))
    assert accepted(verdict) is None
    assert "release it under a higher version" in reasons(verdict)[0]


def test_the_same_policy_signed_anew_is_accepted() -> None:
    both = Keyring((KEY.public, OTHER_KEY.public))
    again = signed(3, key=OTHER_KEY, created=START + timedelta(days=30))
    assert accepted(judged(again, floor=after(3), keyring=both)) == 3


def test_a_policy_of_another_name_is_refused_however_high_its_version() -> None:
    verdict = judged(signed(99, name="sales"), floor=after(3))
    assert accepted(verdict) is None
    assert "is the policy 'sales'" in reasons(verdict)[0]


def test_a_downgrade_is_made_where_it_is_allowed() -> None:
    assert accepted(judged(signed(2), floor=after(3), allow_downgrade=True)) == 2
    assert accepted(judged(signed(1, name="sales"), floor=after(3), allow_downgrade=True)) == 1


def test_a_bundle_that_was_accepted_sets_the_floor_even_when_its_key_is_trusted_no_longer() -> None:
    gate = Gate(ENGINES, Keyring((OTHER_KEY.public,)))
    last = Offer("last", signed(3))
    assert gate.reopened(last) is None
    assert gate.floor(last) == after(3)


# -- ambiguity --------------------------------------------------------------------------------------------------------
def test_bundles_of_two_policies_in_one_place_are_both_refused_until_one_was_accepted() -> None:
    offered = signed(2), signed(1, name="sales")
    assert accepted(judged(*offered)) is None
    assert all("a source is of one policy" in reason for reason in reasons(judged(*offered)))
    verdict = judged(*offered, floor=after(1))
    assert accepted(verdict) == 2


def test_two_different_bundles_of_one_version_are_both_refused() -> None:
    twins = signed(3), signed(3, policy=text(3, route="tool"))
    verdict = judged(signed(2), *twins)
    assert accepted(verdict) == 2
    assert len([reason for reason in reasons(verdict) if "all claim version 3" in reason]) == 2
    assert reasons(judged(*twins, signed(4), floor=after(4))) == []


def test_two_copies_of_one_bundle_are_one() -> None:
    verdict = judged(signed(3), signed(3))
    assert (accepted(verdict), reasons(verdict)) == (3, [])


# -- time -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"not_before": START + timedelta(seconds=1)}, "is not valid before"),
        ({"expires": START}, "expired at"),
    ],
)
def test_a_bundle_out_of_its_time_is_refused_and_looked_at_again(claims: dict[str, Any], reason: str) -> None:
    verdict = judged(signed(2), signed(3, **claims))
    assert accepted(verdict) == 2
    assert reason in reasons(verdict)[0]
    assert verdict.again


# -- unsigned ---------------------------------------------------------------------------------------------------------
def test_a_file_without_keys_may_go_back_to_an_older_version() -> None:
    """Whoever may write the file decides what is served; nothing but a signature could tell them from others."""
    gate = Gate(ENGINES)
    assert [accepted(gate.judge([Offer("a.yaml", text(version).encode())])) for version in (2, 1)] == [2, 1]


def test_what_a_source_could_not_read_is_refused_with_the_sources_reason() -> None:
    refusal = Refusal("a.yaml", ("a.yaml:1:1: cannot be read: Permission denied",))
    assert Gate(ENGINES).judge([refusal]) == Verdict(None, (refusal,), again=False)
