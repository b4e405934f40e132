"""Bundles: a policy, its tests and what is claimed of them, signed as one JSON file.

There is no archive in it: the texts stand in the signed document itself. So there are no paths to climb out of, nothing
to unpack, and no part that the signature does not cover.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from service.policies.envelope import Envelope, sealed
from service.policies.errors import BundleError, SealingError
from service.policies.keys import Keyring, PrivateKey, PublicKey

PAYLOAD_TYPE = "application/vnd.patchbay.policy-bundle+json"
SUFFIX = ".bundle.json"
LIMIT_BYTES = 4 * 1024 * 1024
"""No policy, signed or not, is read beyond this."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Bundle(BaseModel):
    """What is signed. Name, version and hash are those of the policy, so that they can be compared without loading it.

    Nothing of a bundle is more than a claim until :meth:`opened` has found its signature good.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: Literal["patchbay.policy-bundle/1"] = Field(default="patchbay.policy-bundle/1", alias="schema")
    name: str = Field(min_length=1, max_length=200)
    version: int = Field(ge=1, le=2**53)
    policy_hash: Sha256
    created: AwareDatetime
    not_before: AwareDatetime | None = None
    """It is not accepted earlier."""
    expires: AwareDatetime | None = None
    """It is not accepted from here on; a line that serves it already goes on."""
    policy: str
    """The text of the policy."""
    tests: str | None = None
    """The text of its tests."""

    @classmethod
    def claimed(cls, data: bytes) -> Self:
        """Read a bundle **without** asking who signed it. Raises :class:`BundleError`."""
        return cls._of(Envelope.decode(data))

    @classmethod
    def opened(cls, data: bytes, keyring: Keyring) -> tuple[Self, PublicKey]:
        """A bundle and the trusted key that signed it. Raises :class:`BundleError`."""
        envelope = Envelope.decode(data)
        signer = envelope.signer(keyring)
        return cls._of(envelope), signer

    @classmethod
    def _of(cls, envelope: Envelope) -> Self:
        if envelope.payload_type != PAYLOAD_TYPE:
            raise BundleError(f"holds {envelope.payload_type!a}, which is not a policy bundle")
        try:
            return cls.model_validate_json(envelope.payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BundleError(
                f"is not a policy bundle: {where + ': ' if where else ''}{first['msg']}"
            ) from error

    def sealed(self, key: PrivateKey) -> bytes:
        """The bundle as a file: canonical JSON (RFC 8785) in an envelope that ``key`` signed.

        Raises:
            SealingError: it is too large to be accepted anywhere.
        """
        payload = rfc8785.dumps(self.model_dump(mode="json", by_alias=True))
        data = sealed(PAYLOAD_TYPE, payload, key)
        if len(data) > LIMIT_BYTES:
            raise SealingError(
                f"the bundle has {len(data)} bytes, and more than {LIMIT_BYTES} are accepted nowhere"
            )
        return data

    def untimely(self, now: datetime) -> str:
        """Why it is not accepted at ``now``; empty when it is."""
        if self.not_before is not None and now < self.not_before:
            return f"is not valid before {_shown(self.not_before)}"
        if self.expires is not None and now >= self.expires:
            return f"expired at {_shown(self.expires)}"
        return ""


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
