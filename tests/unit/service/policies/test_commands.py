"""``patchbay policy keygen``, ``bundle`` and ``status``, as somebody who rolls out a policy uses them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from policies import shipped
from service.cli.diagnose import diagnose
from service.cli.policy import policy
from service.cli.policy.status import status
from service.policies.bundles import Bundle
from service.policies.following import following
from service.policies.keys import Keyring
from service.policies.served import policy_file
from service.policies.store import PolicyStore
from service.settings import Settings
from tests.unit.service.policies.samples import BAD, ENGINES, KEY, KEYRING, signed, text
from tests.unit.service.policies.server import serving

pytestmark = pytest.mark.unit

Command = Callable[..., Result]

TESTS = """\
cases:
  - name: anybody is answered by standard
    engine: standard
"""


def write(name: str, content: str | bytes) -> None:
    """Write a file as if that had been a while ago."""
    path = Path(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (1e9, 1e9))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in an empty folder, with a policy and a key, and without any setting of this machine."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PATCHBAY_{name.upper()}", raising=False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793610000")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    write("support.yaml", text(3))
    KEY.save(Path("team.key"))

    def run(*arguments: str, answers: str = "", **environment: str) -> Result:
        variables = {f"PATCHBAY_{name.upper()}": value for name, value in environment.items()}
        return CliRunner().invoke(policy, [*arguments], input=answers, env=variables)

    return run


# -- keygen -------------------------------------------------------------------------------------------------------
def test_a_new_key_signs_what_its_public_line_verifies(command: Command) -> None:
    made = command("keygen", "new.key")
    assert made.exit_code == 0, made.output
    [line] = made.stdout.splitlines()
    assert command("bundle", "support.yaml", "--key", "new.key").exit_code == 0
    keyring = Keyring.parse(line)
    assert keyring is not None
    assert Bundle.opened(Path("support-3.bundle.json").read_bytes(), keyring)[0].version == 3


def test_a_key_is_never_overwritten(command: Command) -> None:
    before = Path("team.key").read_bytes()
    again = command("keygen", "team.key")
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr
    assert Path("team.key").read_bytes() == before


def test_a_key_with_a_passphrase_asks_for_it(command: Command) -> None:
    made = command("keygen", "new.key", "--passphrase", answers="secret\nsecret\n")
    assert made.exit_code == 0, made.output
    assert command("bundle", "support.yaml", "--key", "new.key", answers="secret\n").exit_code == 0
    wrong = command("bundle", "support.yaml", "--key", "new.key", answers="guess\n")
    assert wrong.exit_code == 2
    assert "cannot be opened with this passphrase" in wrong.stderr


# -- bundle -------------------------------------------------------------------------------------------------------
def test_a_bundle_holds_the_policy_its_tests_and_when_it_may_be_served(command: Command) -> None:
    Path("support.test.yaml").write_text(TESTS)
    done = command(
        "bundle",
        "support.yaml",
        "--key",
        "team.key",
        "--not-before",
        "2026-12-01",
        "--expires",
        "2027-01-01T09:00+01:00",
    )
    assert done.exit_code == 0, done.output
    assert "1 test passed" in done.stdout
    bundle, signer = Bundle.opened(Path("support-3.bundle.json").read_bytes(), KEYRING)
    assert signer == KEY.public
    assert (bundle.policy, bundle.tests) == (text(3), TESTS)
    assert bundle.created.isoformat() == "2026-11-02T09:00:00+00:00"
    assert bundle.not_before is not None
    assert bundle.not_before.isoformat() == "2026-12-01T00:00:00+00:00"
    assert bundle.expires is not None
    assert bundle.expires.isoformat() == "2027-01-01T09:00:00+01:00"


def test_the_same_input_gives_the_same_bytes(command: Command) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        assert command("bundle", "support.yaml", "--key", "team.key", "--out", folder).exit_code == 0
    first, second = (Path(folder, "support-3.bundle.json").read_bytes() for folder in ("a", "b"))
    assert first == second


def test_a_policy_with_errors_is_not_signed(command: Command) -> None:
    write("support.yaml", BAD)
    done = command("bundle", "support.yaml", "--key", "team.key")
    assert done.exit_code == 2
    assert "support.yaml:2:25" in done.stderr
    assert "support.yaml:5:23" in done.stderr
    assert not list(Path().glob("*.bundle.json"))


def test_a_policy_whose_tests_fail_is_not_signed(command: Command) -> None:
    Path("support.test.yaml").write_text(TESTS.replace("engine: standard", "engine: tool"))
    done = command("bundle", "support.yaml", "--key", "team.key")
    assert done.exit_code == 1
    assert "support.test.yaml:2:5: anybody is answered by standard: failed" in done.stderr
    assert not list(Path().glob("*.bundle.json"))
    told = json.loads(command("bundle", "support.yaml", "--key", "team.key", "--json").stdout)
    assert (told["ok"], len(told["failed"])) == (False, 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--out", "support.json"], "ends in .bundle.json"),
        (["--out", "nowhere/support.bundle.json"], "cannot be written"),
        (["--expires", "soon"], "--expires 'soon' is no time"),
        (["--key", "none.key"], "cannot be read"),
        (["--key", "support.yaml"], "not a private key"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(command: Command, options: list[str], reason: str) -> None:
    done = command("bundle", "support.yaml", "--key", "team.key", *options)
    assert done.exit_code == 2
    assert reason in done.stderr


# -- status -------------------------------------------------------------------------------------------------------
def test_a_good_file_is_what_the_next_call_is_answered_under(command: Command) -> None:
    done = command("status", policy="support.yaml")
    assert done.exit_code == 0, done.output
    assert "The next call is answered under policy support version 3" in done.stdout
    assert not Path(".patchbay").exists()  # looking accepts nothing


def test_what_is_refused_and_what_is_served_meanwhile_are_both_told(command: Command) -> None:
    settings = Settings(policy=Path("support.yaml"))
    PolicyStore.of(settings, ENGINES).refresh()
    write("support.yaml", BAD)
    done = command("status", policy="support.yaml")
    assert done.exit_code == 1
    assert "support.yaml:5:23" in done.stdout
    assert "policy support version 3" in done.stdout
    assert "which was accepted earlier" in done.stdout
    told = json.loads(command("status", "--json", policy="support.yaml").stdout)
    assert (told["ok"], told["offered"], told["accepted_last"]["version"]) == (False, None, 3)
    assert [reason.partition(": ")[0] for reason in told["refused"]] == [
        "support.yaml:2:25",
        "support.yaml:5:23",
    ]


def test_a_bundle_can_be_looked_at_before_it_is_rolled_out(command: Command) -> None:
    write("new.bundle.json", signed(4))
    good = command("status", "new.bundle.json", policy_keys=KEY.public.line)
    assert good.exit_code == 0
    assert f"signed by {KEY.public.id[:12]}" in good.stdout
    bad = command("status", "new.bundle.json")
    assert bad.exit_code == 1
    assert "PATCHBAY_POLICY_KEYS" in bad.stdout


async def test_an_address_is_asked_and_the_workers_word_is_shown(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving() as server:
        server.data = signed(4)
        settings = Settings(policy=server.url, policy_keys=KEY.public.line)
        async with following(settings, ENGINES):
            server.data = b"garbage"
            assert await status(settings, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["source"] == server.url
    assert told["accepted_last"]["version"] == 4
    assert told["worker"]["served"]["version"] == 4
    assert "is not a signed bundle" in told["refused"][0]


def test_an_address_that_is_not_safe_is_refused(command: Command) -> None:
    done = command("status", "http://policies.example.com/x", policy_keys=KEY.public.line)
    assert done.exit_code == 2
    assert "over https" in done.stderr


def test_keys_that_cannot_be_used_are_refused(command: Command) -> None:
    done = command("status", policy_keys="nonsense")
    assert done.exit_code == 2
    assert "PATCHBAY_POLICY_KEYS" in done.stderr


# -- the doctor, and commands that read the policy ---------------------------------------------------------------------
def found(capsys: pytest.CaptureFixture[str], settings: Settings) -> dict[str, Any]:
    diagnose(settings, as_json=True)
    findings = json.loads(capsys.readouterr().out)["findings"]
    [finding] = [one for one in findings if one["name"] in (str(settings.policy), "policy keys")]
    return dict(finding)


def test_the_doctor_tells_what_is_refused_and_what_is_served_meanwhile(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(policy=Path("support.yaml"))
    assert found(capsys, settings)["status"] == "ok"
    PolicyStore.of(settings, ENGINES).refresh()
    write("support.yaml", BAD)
    finding = found(capsys, settings)
    assert finding["status"] == "problem"
    assert "support.yaml:5:23" in finding["means"]
    assert "Served meanwhile: policy support version 3" in finding["means"]


def test_the_doctor_asks_no_address(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(policy="https://192.0.2.1/support.bundle.json", policy_keys=KEY.public.line)
    finding = found(capsys, settings)
    assert finding["status"] == "missing"
    assert "was fetched yet" in finding["means"]


def test_the_doctor_finds_keys_that_cannot_be_used(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, Settings(policy_keys="nonsense"))["status"] == "problem"


def test_commands_read_the_file_or_of_bundles_the_text_that_was_accepted_last(command: Command) -> None:
    assert policy_file(Settings()) == shipped("default.yaml")
    settings = Settings(policy=Path("support-4.bundle.json"), policy_keys=KEY.public.line)
    write("support-4.bundle.json", signed(4))
    refused = command("check", policy="support-4.bundle.json", policy_keys=KEY.public.line)
    assert refused.exit_code == 2
    assert "name a policy file" in refused.stderr
    PolicyStore.of(settings, ENGINES).refresh()
    assert policy_file(settings).read_text() == text(4)
    checked = command("check", policy="support-4.bundle.json", policy_keys=KEY.public.line)
    assert checked.exit_code == 0, checked.output
