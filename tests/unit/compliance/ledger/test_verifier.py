"""The standalone verifier: its signatures, its tree, and that it runs anywhere. What it finds: test_tampering.py."""

import ast
import base64
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.events import SpeechHeard
from compliance.ledger import Ledger, merkle, note, verifier
from compliance.ledger.anchors import FileAnchor
from compliance.ledger.checkpoint import Checkpoint, digest
from compliance.ledger.verifier import Key, VerifierError, verify_ledger, verify_log

pytestmark = pytest.mark.unit

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
L = 2**252 + 27742317777372353535851937790883648493
SECRET = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS[0][0]))
PUBLIC = SECRET.public_key().public_bytes_raw()
VKEY = note.vkey("log.example/test", PUBLIC)
OURS = Key(VKEY)


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc_verify(secret: str, public: str, message: str, signature: str) -> None:
    key = Key(note.vkey("log.example/test", bytes.fromhex(public)))
    signed = bytes.fromhex(signature)

    assert key.signed(bytes.fromhex(message), signed)
    assert not key.signed(bytes.fromhex(message) + b"\0", signed)
    assert not key.signed(bytes.fromhex(message), signed[:-1] + bytes([signed[-1] ^ 1]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 511), st.booleans())
def test_it_agrees_with_cryptography_about_every_signature(message: bytes, bit: int, damaged: bool) -> None:
    signature = bytearray(SECRET.sign(message))
    if damaged:
        signature[bit // 8] ^= 1 << bit % 8
    try:
        Ed25519PublicKey.from_public_bytes(PUBLIC).verify(bytes(signature), message)
        good = True
    except InvalidSignature:
        good = False

    assert OURS.signed(message, bytes(signature)) is good
    assert good is not damaged


def test_a_second_form_of_a_true_signature_is_refused() -> None:
    signature = SECRET.sign(b"once")
    other = signature[:32] + (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")

    assert OURS.signed(b"once", signature)
    assert not OURS.signed(b"once", other)


@given(st.binary(max_size=80))
@settings(max_examples=60, deadline=None)
def test_garbage_is_no_signature(garbage: bytes) -> None:
    assert not OURS.signed(b"message", garbage)


@pytest.mark.parametrize(
    "encoded",
    [
        (1).to_bytes(32, "little"),  # the neutral point: everything verifies
        (0).to_bytes(32, "little"),  # of order 4
        (2**255 - 20).to_bytes(32, "little"),  # of order 2
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # of order 8
        (2**255 - 19).to_bytes(32, "little"),  # y not below p
        (1 + 2**255).to_bytes(32, "little"),  # x = 0 with a sign
        (2).to_bytes(32, "little"),  # on no point of the curve
    ],
)
def test_a_public_key_that_is_no_key_is_refused(encoded: bytes) -> None:
    with pytest.raises(VerifierError):
        Key(note.vkey("log.example/test", encoded))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "log.example/test",
        VKEY.replace("log.example", "log.example.org"),
        VKEY[:-4],
        VKEY.replace("+A", "+B", 1),
        "a+00000000+" + base64.b64encode(b"\1" * 33).decode(),
    ],
)
def test_a_wrong_verifier_key_says_so(wrong: str) -> None:
    with pytest.raises(VerifierError):
        Key(wrong)


def test_only_a_note_that_the_key_signed_is_opened() -> None:
    key = Key(VKEY)
    signed = note.signed("one\ntwo\n", "log.example/test", PUBLIC, SECRET.sign).encode()
    cosigned = signed + "— other.example/witness AAAAAAAA\n".encode()
    stranger = Ed25519PrivateKey.generate()
    swapped = note.signed("one\ntwo\n", "log.example/test", PUBLIC, stranger.sign).encode()

    assert key.opened(signed) == key.opened(cosigned) == b"one\ntwo\n"
    for wrong in (swapped, signed.replace(b"two", b"ten"), b"", b"\n\n", b"\xff", signed[:-9]):
        assert key.opened(wrong) is None


@given(st.lists(st.binary(max_size=4), max_size=40))
@settings(max_examples=40, deadline=None)
def test_its_tree_is_that_of_the_ledger(leaves: list[bytes]) -> None:
    tree = verifier.Tree()
    for leaf in leaves:
        tree.add(verifier.leaf_hash(leaf))
    frontier, _ = merkle.Frontier().extended(merkle.leaf_hash(leaf) for leaf in leaves)

    assert tree.root() == frontier.root
    assert b"".join(tree.roots) == frontier.to_bytes()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_of_inclusion_proves_one_leaf_at_one_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    root = merkle.Frontier().extended(hashes)[0].root
    proof = list(merkle.inclusion_proof(lambda level, start, stop: hashes[start:stop], index, size))

    assert verifier.included(hashes[index], index, size, proof, root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda n: n != index))
    assert not verifier.included(hashes[index], other, size, proof, root)
    assert not verifier.included(merkle.leaf_hash(b"other"), index, size, proof, root)
    assert not verifier.included(hashes[index], index, size, [*proof, root], root)
    if proof:
        assert not verifier.included(hashes[index], index, size, proof[:-1], root)
        proof[data.draw(st.integers(0, len(proof) - 1))] = bytes(32)
        assert not verifier.included(hashes[index], index, size, proof, root)


def ledger_of(path: Path, events: int, *, tenant: str = "", anchor: Path | None = None) -> Key:
    anchors = [FileAnchor(anchor)] if anchor else []
    with closing(Ledger.open(path, tenant=tenant, anchors=anchors)) as ledger:
        for start in range(0, events, 50):
            numbers = range(start, min(start + 50, events))
            ledger.append_many(
                [
                    SpeechHeard(call_id=f"call {n % 3}", at_ms=n, speaker="caller", start_ms=n, end_ms=n)
                    for n in numbers
                ]
            )
        return Key(ledger.vkey)


def test_a_ledger_in_order_holds(tmp_path: Path) -> None:
    key = ledger_of(tmp_path / "ledger.sqlite", 230, anchor=tmp_path / "anchor.jsonl")
    with (tmp_path / "anchor.jsonl").open("rb") as anchor:
        found = verify_ledger(tmp_path / "ledger.sqlite", key, anchor=anchor)

    assert found.ok, found.problems
    assert (found.events, found.anchored, found.proven) == (230, 230, 230)
    assert "230 events" in found.sentence


@pytest.mark.parametrize("tenant", ["acme", 'a "quoted" tenant', "à la ligne\n", "back\\slash", "a/b c"])
def test_each_tenants_log_is_verified_with_its_own_key(tmp_path: Path, tenant: str) -> None:
    path = tmp_path / "ledger.sqlite"
    key = ledger_of(path, 3, tenant=tenant)
    other = ledger_of(path, 5)

    assert (verify_ledger(path, key).events, verify_ledger(path, other).events) == (3, 5)
    wrong = verify_ledger(path, key, log="default")
    assert not wrong.ok
    assert f"not signed by the key {key.name}" in wrong.sentence


def test_calls_that_rest_are_counted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier._Places, "IN_MEMORY", 2)
    key = ledger_of(tmp_path / "ledger.sqlite", 60)

    assert verify_ledger(tmp_path / "ledger.sqlite", key).ok


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier._Places, "IN_MEMORY", 1_000)
    key = Key(VKEY)

    def rows(events: int) -> Iterator[verifier.Row]:
        for seq in range(events):
            call = b"%08d" % (seq // 4)
            leaf = b'{"call":"%b","call_seq":%d,"commit":"%064d","key":"%032d",' % (call, seq % 4, 0, 0)
            leaf += b'"kind":"said","log":"l","seq":%d,"time_ms":%d,"v":2}\n%b' % (seq, seq, bytes(200))
            yield seq, call, seq % 4, b"said", leaf, merkle.leaf_hash(leaf)

    def peak(events: int) -> int:
        tree = merkle.Frontier().extended(row[5] for row in rows(events))[0]
        text = Checkpoint("log.example/test", events, tree.root, events, digest("")).text
        signed = note.signed(text, "log.example/test", PUBLIC, SECRET.sign)
        head = events, tree.to_bytes(), signed.encode()
        tracemalloc.start()
        found = verify_log("l", key, rows(events), (), head)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.ok, found.sentence
        assert found.events == events
        return most

    peak(10_000)  # what is remembered from one log to the next
    assert peak(40_000) < 1.5 * peak(10_000)


# -- anywhere -------------------------------------------------------------------------------------------------
def run(*arguments: object) -> tuple[int, str]:
    """Runs the file alone: no environment, no site-packages, not from our folder."""
    done = subprocess.run(  # noqa: S603 # our own code
        [sys.executable, "-I", "-S", verifier.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={},
        cwd="/",
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_the_command_says_what_it_found_and_exits_so(tmp_path: Path) -> None:
    path, anchor, keys = tmp_path / "ledger.sqlite", tmp_path / "anchor.jsonl", tmp_path / "key"
    ledger_of(path, 120, anchor=anchor)
    with closing(Ledger.open(path, must_exist=True)) as ledger:
        keys.write_text(ledger.vkey + "\n")

    status, told = run(path, "--key", keys.read_text().strip())
    assert (status, told.startswith("HOLDS: 120 events")) == (0, True), told
    status, told = run(path, "--key", keys, "--anchor", anchor, "--json")
    found = json.loads(told)
    assert (status, found["ok"], found["anchored"], found["first"]) == (0, True, 120, None)

    ledger_of(tmp_path / "other.sqlite", 1)
    with closing(Ledger.open(tmp_path / "other.sqlite", must_exist=True)) as other:
        status, told = run(path, "--key", other.vkey)
    assert (status, told.startswith("DOES NOT HOLD: ")) == (1, True), told


def test_what_is_no_ledger_cannot_be_checked(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, I am a text file, not a ledger" * 50)
    (tmp_path / "export.jsonl").write_text("[]\n")
    (tmp_path / "folder").mkdir()
    for name in ("text", "absent", "export.jsonl", "absent.jsonl", "folder"):
        status, told = run(tmp_path / name, "--key", VKEY)
        assert (status, told.startswith("cannot check: ")) == (2, True), told
    status, told = run(tmp_path / "text", "--key", "nothing+0+0", "--json")
    assert (status, json.loads(told)["ok"]) == (2, None)


def test_an_anchor_of_another_log_says_so(tmp_path: Path) -> None:
    key = ledger_of(tmp_path / "ledger.sqlite", 5)
    ledger_of(tmp_path / "other.sqlite", 5, tenant="acme", anchor=tmp_path / "anchor.jsonl")
    with (tmp_path / "anchor.jsonl").open("rb") as anchor:
        found = verify_ledger(tmp_path / "ledger.sqlite", key, anchor=anchor)

    assert found.sentence.startswith("the anchor has nothing of this log")


def test_a_ledger_on_storage_that_cannot_be_written_to_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ledger_of(tmp_path / "ledger.sqlite", 5)
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    assert verify_ledger(tmp_path / "ledger.sqlite", key).ok
    assert [path.name for path in tmp_path.glob("*-shm")] == []
