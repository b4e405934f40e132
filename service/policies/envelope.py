"""Signed envelopes: DSSE, the Dead Simple Signing Envelope, protocol version 1.0.2.

What is signed is ``DSSEv1 LEN(type) type LEN(payload) payload``, so a signature made for one type of payload is none
for another, and the payload is verified before anything reads it.
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.policies.errors import BundleError
from service.policies.keys import Keyring, PrivateKey, PublicKey

_MOST_SIGNATURES = 16


def _decoded(value: Any) -> bytes:
    """Standard or URL-safe Base64, as the protocol asks of those who verify."""
    if not isinstance(value, str) or not value.isascii():
        raise ValueError("is not Base64")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError("is not Base64") from error


Base64 = Annotated[bytes, BeforeValidator(_decoded)]


class Signature(BaseModel):
    """One signature. ``keyid`` is only a hint, and nothing here trusts it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sig: Base64
    keyid: str | None = ""


class Envelope(BaseModel):
    """A payload and who signed it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    payload: Base64
    payload_type: str = Field(alias="payloadType", max_length=255)
    signatures: tuple[Signature, ...] = Field(max_length=_MOST_SIGNATURES)

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Raises :class:`BundleError` when ``data`` is not an envelope in JSON."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BundleError(
                "is not a signed bundle, and nothing else is accepted where PATCHBAY_POLICY_KEYS is set "
                f"({where + ': ' if where else ''}{first['msg']}): make one with `patchbay policy bundle`"
            ) from error

    def signer(self, keyring: Keyring) -> PublicKey:
        """The trusted key that signed it. Raises :class:`BundleError` when none did."""
        message = pre_authentication_encoding(self.payload_type, self.payload)
        signer = keyring.signer(tuple(each.sig for each in self.signatures), message)
        if signer is None:
            by = ", ".join(each.keyid[:6] for each in self.signatures if each.keyid) or "nobody who says so"
            raise BundleError(
                f"is not signed by a trusted key (signed by {ascii(by)[1:-1]}): "
                "it was changed, or PATCHBAY_POLICY_KEYS lacks the key"
            )
        return signer


def sealed(payload_type: str, payload: bytes, key: PrivateKey) -> bytes:
    """The envelope of ``payload`` in JSON, signed by ``key``; the same bytes for the same input."""
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": key.public.id, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, indent=1).encode() + b"\n"


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed, PAE in the protocol."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
