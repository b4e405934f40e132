"""Which of the policies offered may be served: signed if keys are configured, loaded in full, and not an older one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from policies import DocumentError
from router import Policy
from service.policies.bundles import SUFFIX, Bundle
from service.policies.errors import BundleError
from service.policies.keys import Keyring
from service.policies.offers import Offer, Refusal


@dataclass(frozen=True, slots=True)
class Accepted:
    """A policy that may be served, and where it came from."""

    offer: Offer
    policy: Policy
    signer: str = ""
    """The id of the key that signed it; empty when none had to."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The bundle that was accepted last: what comes after it is of the same name and not of a lower version."""

    name: str
    version: int
    policy_hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the offers."""

    accepted: Accepted | None
    refusals: tuple[Refusal, ...]
    again: bool
    """Whether the same offers may fare otherwise later."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A bundle whose signature is good."""

    offer: Offer
    bundle: Bundle
    signer: str


def _now() -> datetime:
    return datetime.now(UTC)


class Gate:
    """Judges offers.

    Args:
        engines: the names in the engine catalogue; ``None`` does not check those that a policy names.
        keyring: who may sign; ``None`` accepts unsigned policies, and nothing else, since nobody vouches for a bundle.
        allow_downgrade: accept a bundle below the last one, or of another name.
        now: the clock for what a bundle says of its validity.
    """

    def __init__(
        self,
        engines: Collection[str] | None,
        keyring: Keyring | None = None,
        *,
        allow_downgrade: bool = False,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._engines = engines
        self._keyring = keyring
        self._allow_downgrade = allow_downgrade
        self._now = now
        self._loaded: dict[str, Policy | Refusal] = {}

    @property
    def signed(self) -> bool:
        """Whether it accepts bundles, rather than policies as they are."""
        return self._keyring is not None

    def judge(
        self, offers: Sequence[Offer | Refusal], floor: Floor | None = None, *, hasty: bool = False
    ) -> Verdict:
        """The best of ``offers``: the highest version that may be served.

        Args:
            offers: of one source, with what the source itself could not read.
            floor: the bundle that was accepted last from that source.
            hasty: accept a file even while it may still be written to: to look at, not to serve.
        """
        verdict = self._judge_signed(offers, floor) if self.signed else self._judge_plain(offers, hasty)
        known = {offer.digest for offer in offers if isinstance(offer, Offer)}
        if verdict.accepted is not None:
            known.add(verdict.accepted.offer.digest)
        self._loaded = {digest: loaded for digest, loaded in self._loaded.items() if digest in known}
        return verdict

    def reopened(self, offer: Offer) -> Accepted | None:
        """What was accepted before and kept: validity in time and version do not count again; ``None`` if unusable."""
        if not self.signed:
            loaded = self._load(offer, offer.name, _text(offer))
            return None if isinstance(loaded, Refusal) else Accepted(offer, loaded)
        signed = self._open(offer)
        unpacked = signed if isinstance(signed, Refusal) else self._unpacked(signed)
        return None if isinstance(unpacked, Refusal) else unpacked

    def floor(self, offer: Offer) -> Floor | None:
        """The floor that a bundle kept here sets, even when the key that signed it is not trusted any longer."""
        if not self.signed:
            return None
        try:
            bundle = Bundle.claimed(offer.data)
        except BundleError:
            return None
        return Floor(bundle.name, bundle.version, bundle.policy_hash)

    # -- unsigned -------------------------------------------------------------------------------------------
    def _judge_plain(self, offers: Sequence[Offer | Refusal], hasty: bool) -> Verdict:
        refusals: list[Refusal] = []
        for offer in offers:
            if isinstance(offer, Refusal):
                refusals.append(offer)
            elif offer.name.endswith(SUFFIX):
                why = "is a signed bundle: set PATCHBAY_POLICY_KEYS to the public keys that may sign policies"
                refusals.append(_refusal(offer, why))
            elif not (offer.settled or hasty):
                return Verdict(None, tuple(refusals), again=True)
            else:
                loaded = self._load(offer, offer.name, _text(offer))
                if isinstance(loaded, Policy):
                    return Verdict(Accepted(offer, loaded), tuple(refusals), again=False)
                refusals.append(loaded)
        return Verdict(None, tuple(refusals), again=False)

    # -- signed ---------------------------------------------------------------------------------------------
    def _judge_signed(self, offers: Sequence[Offer | Refusal], floor: Floor | None) -> Verdict:
        opened = [offer if isinstance(offer, Refusal) else self._open(offer) for offer in offers]
        refusals = [each for each in opened if isinstance(each, Refusal)]
        signed = [each for each in opened if isinstance(each, _Signed)]
        refusals += self._ambiguous(signed, floor)
        again = False
        for each in sorted(signed, key=lambda one: (-one.bundle.version, one.offer.name)):
            if any(refusal.name == each.offer.name for refusal in refusals):
                continue
            if untimely := each.bundle.untimely(self._now()):
                refusals.append(_refusal(each.offer, untimely))
                again = True
            elif downgrade := self._downgrade(each.bundle, floor):
                refusals.append(_refusal(each.offer, downgrade))
                if each.bundle.name == (floor and floor.name):
                    break  # those below it would be refused for the same reason
            else:
                unpacked = self._unpacked(each)
                if isinstance(unpacked, Accepted):
                    return Verdict(unpacked, tuple(refusals), again)
                refusals.append(unpacked)
        return Verdict(None, tuple(refusals), again)

    def _open(self, offer: Offer) -> _Signed | Refusal:
        assert self._keyring is not None  # noqa: S101 # only asked where keys are configured
        try:
            bundle, signer = Bundle.opened(offer.data, self._keyring)
        except BundleError as error:
            return _refusal(offer, str(error))
        return _Signed(offer, bundle, signer.id)

    def _unpacked(self, signed: _Signed) -> Accepted | Refusal:
        """The policy in a bundle, if it is what the bundle claims."""
        offer, bundle = signed.offer, signed.bundle
        loaded = self._load(offer, f"{offer.name}/policy.yaml", bundle.policy)
        if isinstance(loaded, Refusal):
            return loaded
        if (bundle.name, bundle.version) != (loaded.name, loaded.version):
            claim = f"claims to be {bundle.name} version {bundle.version}"
            return _refusal(offer, f"{claim} and holds {loaded.name} version {loaded.version}")
        if bundle.policy_hash != loaded.hash:
            return _refusal(
                offer, "claims another hash than its policy has: make the bundle with this release"
            )
        return Accepted(offer, loaded, signed.signer)

    def _downgrade(self, bundle: Bundle, floor: Floor | None) -> str:
        """Why ``bundle`` may not follow what was accepted last; empty when it may."""
        if floor is None or self._allow_downgrade:
            return ""
        if bundle.name != floor.name:
            return (
                f"is the policy '{bundle.name}', and this source has been that of '{floor.name}': set "
                "PATCHBAY_POLICY_ALLOW_DOWNGRADE=true if that is meant"
            )
        if bundle.version < floor.version:
            return (
                f"is version {bundle.version}, and version {floor.version} was accepted before: release it under a "
                "higher version, or set PATCHBAY_POLICY_ALLOW_DOWNGRADE=true"
            )
        if bundle.version == floor.version and bundle.policy_hash != floor.policy_hash:
            return f"is not what was accepted before as version {bundle.version}: release it under a higher version"
        return ""

    def _ambiguous(self, signed: Sequence[_Signed], floor: Floor | None) -> list[Refusal]:
        """Bundles of which it cannot be told which one is meant."""
        found = []
        if (floor is None or self._allow_downgrade) and len(
            names := sorted({each.bundle.name for each in signed})
        ) > 1:
            why = f"lies beside bundles of other policies ({', '.join(names)}): a source is of one policy"
            return [_refusal(each.offer, why) for each in signed]
        contents = {(each.bundle.name, each.bundle.version, each.bundle.policy_hash) for each in signed}
        several = {key for key, times in Counter((name, v) for name, v, _ in contents).items() if times > 1}
        lowest = 0 if floor is None or self._allow_downgrade else floor.version
        for each in signed:
            if (each.bundle.name, each.bundle.version) in several and each.bundle.version >= lowest:
                why = f"is one of several different bundles that all claim version {each.bundle.version}"
                found.append(_refusal(each.offer, why))
        return found

    def _load(self, offer: Offer, name: str, text: str | None) -> Policy | Refusal:
        """Load the policy in an offer, or recall what came of it last time."""
        if offer.digest not in self._loaded:
            self._loaded[offer.digest] = self._parsed(offer, name, text)
        return self._loaded[offer.digest]

    def _parsed(self, offer: Offer, name: str, text: str | None) -> Policy | Refusal:
        if text is None:
            return Refusal(offer.name, (f"{name}:1:1: cannot be read: is not UTF-8 text",))
        try:
            return Policy.parse(text, file=name, engines=self._engines)
        except DocumentError as error:
            return Refusal(offer.name, tuple(str(error).splitlines()))


def _text(offer: Offer) -> str | None:
    try:
        return offer.data.decode()
    except UnicodeDecodeError:
        return None


def _refusal(offer: Offer, why: str) -> Refusal:
    return Refusal(offer.name, (f"{offer.name}: {why}",))
