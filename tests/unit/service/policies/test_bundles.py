"""Keys, signed envelopes and bundles: what is signed, what is accepted as signed, and by whom."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from service.policies.bundles import LIMIT_BYTES, PAYLOAD_TYPE, Bundle
from service.policies.envelope import Envelope, pre_authentication_encoding, sealed
from service.policies.errors import BundleError, KeyFileError, SealingError
from service.policies.keys import Keyring, PrivateKey, PublicKey
from tests.unit.service.policies.samples import KEY, KEYRING, OTHER_KEY, START, signed, text

pytestmark = pytest.mark.unit


# -- keys ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_key_that_was_saved_signs_as_before(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "team.key"
    KEY.save(path, passphrase)
    assert PrivateKey.protected(path) == bool(passphrase)
    assert PrivateKey.load(path, passphrase).sign(b"x") == KEY.sign(b"x")


def test_a_private_key_is_for_its_owner_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "team.key"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyFileError, match="never overwritten"):
        OTHER_KEY.save(path)
    assert PrivateKey.load(path).public == KEY.public


def test_a_public_key_is_the_line_of_its_pem_file() -> None:
    pem = KEY.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert pem.splitlines()[1] == KEY.public.line
    assert PublicKey.parse(KEY.public.line).id == KEY.public.id


def test_several_keys_are_separated_by_commas() -> None:
    keyring = Keyring.parse(f" {KEY.public.line}, {OTHER_KEY.public.line},")
    assert keyring is not None
    assert [key.id for key in keyring.keys] == [KEY.public.id, OTHER_KEY.public.id]
    assert Keyring.parse(" , ") is None


def other_kind() -> str:
    public = generate_private_key(SECP256R1()).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize("line", ["nonsense", "AAAA", "é", "-----BEGIN PUBLIC KEY-----", other_kind()])
def test_what_is_no_public_key_is_refused_by_the_name_of_its_setting(line: str) -> None:
    with pytest.raises(KeyFileError, match="PATCHBAY_POLICY_KEYS"):
        Keyring.parse(f"{KEY.public.line},{line}")


@pytest.mark.parametrize(
    ("write", "passphrase", "reason"),
    [
        (lambda path: None, None, "cannot be read"),
        (lambda path: path.write_bytes(b"nonsense"), None, "not a private key in PEM form"),
        (lambda path: KEY.save(path, "right"), None, "is protected by a passphrase"),
        (lambda path: KEY.save(path, "right"), "wrong", "cannot be opened with this passphrase"),
        (lambda path: KEY.save(path), "right", "is not protected by a passphrase"),
        (
            lambda path: path.write_bytes(
                generate_private_key(SECP256R1()).private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
            ),
            None,
            "another kind of key",
        ),
    ],
)
def test_a_key_file_that_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, write: Callable[[Path], object], passphrase: str | None, reason: str
) -> None:
    write(tmp_path / "team.key")
    with pytest.raises(KeyFileError, match=reason):
        PrivateKey.load(tmp_path / "team.key", passphrase)


# -- envelopes ----------------------------------------------------------------------------------------------------
def test_what_is_signed_is_what_the_protocol_says() -> None:
    """The test vector of https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md."""
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_the_length_of_a_type_is_counted_in_bytes() -> None:
    assert pre_authentication_encoding("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_an_envelope_has_the_fields_of_the_standard() -> None:
    envelope = json.loads(sealed("type", b"payload", KEY))
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert base64.b64decode(envelope["payload"]) == b"payload"
    [signature] = envelope["signatures"]
    assert signature["keyid"] == KEY.public.id
    KEY.public.key.verify(base64.b64decode(signature["sig"]), b"DSSEv1 4 type 7 payload")


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(signed(1)), **fields}).encode()


def test_url_safe_base64_and_fields_of_later_versions_are_accepted() -> None:
    envelope = json.loads(signed(1))
    urlsafe = {"+": "-", "/": "_"}
    envelope["payload"] = envelope["payload"].translate(str.maketrans(urlsafe))
    [signature] = envelope["signatures"]
    signature["sig"] = signature["sig"].translate(str.maketrans(urlsafe))
    signature["extension"] = {"kind": "unknown"}
    envelope["later"] = True
    assert Bundle.opened(json.dumps(envelope).encode(), KEYRING)[0].version == 1


def test_one_good_signature_among_others_is_enough_whatever_the_hints_say() -> None:
    [good] = json.loads(signed(1))["signatures"]
    [other] = json.loads(signed(1, key=OTHER_KEY))["signatures"]
    hints = [{"sig": other["sig"], "keyid": KEY.public.id}, {"sig": good["sig"], "keyid": None}]
    bundle, signer = Bundle.opened(changed(signatures=hints), KEYRING)
    assert (bundle.version, signer) == (1, KEY.public)


@pytest.mark.parametrize(
    "data",
    [
        signed(1, key=OTHER_KEY),
        changed(signatures=[]),
        changed(payload=json.loads(signed(2))["payload"]),
        changed(payloadType="application/vnd.in-toto+json"),
        changed(signatures=[{"keyid": KEY.public.id, "sig": ""}]),
        changed(signatures=[{"keyid": KEY.public.id, "sig": base64.b64encode(bytes(64)).decode()}]),
    ],
    ids=["another key", "no signature", "another payload", "another type", "empty signature", "zeros"],
)
def test_an_envelope_that_no_trusted_key_signed_as_it_is_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="not signed by a trusted key"):
        Bundle.opened(data, KEYRING)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        text(1).encode(),
        changed(payload=1),
        changed(payload="not base64!"),
        changed(payload="é"),
        changed(signatures={}),
        changed(signatures=[{"sig": ""}] * 17),
        changed(payloadType="x" * 300),
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="is not a signed bundle"):
        Bundle.opened(data, KEYRING)


def test_what_a_trusted_key_signed_for_another_purpose_is_no_bundle() -> None:
    payload = Envelope.decode(signed(1)).payload
    with pytest.raises(BundleError, match="application/json"):
        Bundle.opened(sealed("application/json", payload, KEY), KEYRING)


# -- bundles ------------------------------------------------------------------------------------------------------
def test_the_same_policy_signed_twice_gives_the_same_bytes() -> None:
    assert signed(1) == signed(1)


def test_the_text_of_a_policy_arrives_as_it_was_sent() -> None:
    source = text(1) + '# ärger, 日本語, \U0001f600, \t, a quote " and a \\\n'
    bundle, _ = Bundle.opened(signed(1, policy=source), KEYRING)
    assert bundle.policy == source


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"null",
        b"nonsense",
        json.dumps({"schema": "patchbay.policy-bundle/2"}).encode(),
        base64.b64decode(json.loads(signed(1))["payload"]).replace(b'"version":1', b'"version":"1"'),
        base64.b64decode(json.loads(signed(1))["payload"]).replace(b'"version":1', b'"version":0'),
        base64.b64decode(json.loads(signed(1))["payload"]).replace(b'"version":1', b'"version":1,"more":1'),
        base64.b64decode(json.loads(signed(1))["payload"]).replace(
            b"2026-11-02T09:00:00Z", b"2026-11-02T09:00:00"
        ),
    ],
)
def test_a_signed_payload_that_is_no_bundle_is_refused(payload: bytes) -> None:
    with pytest.raises(BundleError, match="is not a policy bundle"):
        Bundle.opened(sealed(PAYLOAD_TYPE, payload, KEY), KEYRING)


def test_a_bundle_that_nobody_would_accept_is_not_made() -> None:
    with pytest.raises(SealingError, match="bytes"):
        signed(1, tests="x" * LIMIT_BYTES)


def test_a_bundle_is_valid_from_its_first_moment_until_before_its_last() -> None:
    first, last = START, START + timedelta(hours=1)
    bundle, _ = Bundle.opened(signed(1, not_before=first, expires=last), KEYRING)
    moment = timedelta(microseconds=1)
    assert [bool(bundle.untimely(now)) for now in (first - moment, first, last - moment, last)] == [
        True,
        False,
        False,
        True,
    ]
