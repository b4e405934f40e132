"""Keys come from the environment or a file, and nothing that is printed has them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from compliance.errors import LedgerKeysError
from compliance.ledger.keys import KEY_FILE_VARIABLE, KEYS_VARIABLE, Keyring, find_keys, key_file

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def test_keys_are_made_once_beside_a_new_ledger_for_its_owner_only(ledger: Path) -> None:
    made = find_keys(ledger, make=True, environment={})

    assert find_keys(ledger, make=True, environment={}) == made
    assert find_keys(ledger, make=False, environment={}) == made
    assert stat.S_IMODE(key_file(ledger).stat().st_mode) == 0o600
    assert [path.name for path in ledger.parent.iterdir()] == ["ledger.sqlite.keys"]


def test_the_environment_goes_first(ledger: Path, tmp_path: Path) -> None:
    find_keys(ledger, make=True, environment={})
    line, filed = Keyring.new(), Keyring.new()
    (tmp_path / "secret").write_text(f"{filed.text}\n")
    environment = {KEY_FILE_VARIABLE: str(tmp_path / "secret")}

    assert find_keys(ledger, make=True, environment=environment) == filed
    assert find_keys(None, make=False, environment=environment) == filed
    assert find_keys(ledger, make=True, environment={**environment, KEYS_VARIABLE: line.text}) == line


def test_keys_that_are_not_there_are_told_of(ledger: Path) -> None:
    with pytest.raises(LedgerKeysError, match="No such file"):
        find_keys(ledger, make=False, environment={})
    with pytest.raises(LedgerKeysError, match=KEYS_VARIABLE):
        find_keys(None, make=True, environment={})
    with pytest.raises(LedgerKeysError, match="/nowhere"):
        find_keys(ledger, make=True, environment={KEY_FILE_VARIABLE: "/nowhere/keys"})
    with pytest.raises(LedgerKeysError, match="cannot be written"):
        find_keys(ledger / "no folder" / "ledger.sqlite", make=True, environment={})


@pytest.mark.parametrize(
    "text", ["", "secret", "patchbay-ledger-keys-1:c2VjcmV0", "patchbay-ledger-keys-1:!"]
)
def test_what_is_not_keys_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(LedgerKeysError, match="these are not ledger keys") as caught:
        Keyring.parse(text or " ", source=KEYS_VARIABLE)
    assert "c2VjcmV0" not in str(caught.value)


def test_nothing_that_is_printed_has_the_secrets() -> None:
    keyring = Keyring(b"\x01" * 32, b"\x02" * 32)
    for thing in (keyring, keyring.of_log("default")):
        assert "x01" not in repr(thing)
        assert "x02" not in repr(thing)


def test_logs_have_different_keys_and_what_is_wrapped_opens_for_its_purpose_only() -> None:
    one, other = (Keyring(b"\x01" * 32, b"\x02" * 32).of_log(log) for log in ("one", "other"))
    wrapped = one.wrap(b"secret", "call 1")

    assert one.public_key != other.public_key
    assert one.unwrap(wrapped, "call 1") == b"secret"
    for keys, purpose, text in ((one, "call 2", wrapped), (other, "call 1", wrapped), (one, "call 1", b"")):
        with pytest.raises(LedgerKeysError):
            keys.unwrap(text, purpose)
