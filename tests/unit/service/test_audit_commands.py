"""``patchbay audit``: search, access, hold, release, erase, retain, reveal and token, as they are typed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from compliance.errors import ErasedError
from compliance.ledger import Ledger
from compliance.oversight import OversightEvent
from compliance.recording.kept import Recordings
from compliance.spool import Spool
from service.cli import app
from tests.forged import unguarded
from tests.unit.compliance.access.oidc_issuer import AUDIENCE, serving
from tests.unit.compliance.access.test_oidc import EC
from tests.unit.compliance.overseen import NOW, record_call

pytestmark = pytest.mark.unit


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with an old call, a new one, and one that is on now."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    lately = NOW - datetime.now(UTC)
    record_call(ledger, "old", age=lately + timedelta(days=800), sealed=(("PERSON", "Jane Miller"),))
    record_call(ledger, "new", age=lately + timedelta(days=2))
    record_call(ledger, "on-now", age=lately + timedelta(minutes=1), ended=False)
    ledger.close()
    monkeypatch.setenv("PATCHBAY_LEDGER", str(path))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("PATCHBAY_AUDIT_TOKEN", raising=False)
    return path


def patchbay(*arguments: str | Path, token: str = "", typed: str = "") -> Result:
    environment = {"PATCHBAY_AUDIT_TOKEN": token} if token else {}
    return CliRunner().invoke(app, ["audit", *map(str, arguments)], input=typed, env=environment)


def said(result: Result) -> Any:
    """What a command printed as JSON."""
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def oversight(place: Path) -> tuple[OversightEvent, ...]:
    ledger = Ledger.open(place, must_exist=True)
    try:
        assert ledger.verify().ok
        return ledger.oversight()
    finally:
        ledger.close()


def kinds(place: Path) -> list[str]:
    return [event.kind for event in oversight(place)]


def issue(name: str, role: str, *, token: str = "") -> str:
    """A token for somebody."""
    secret = said(patchbay("token", "issue", name, "--role", role, "--json", token=token))["secret"]
    assert isinstance(secret, str)
    return secret


# -- search -------------------------------------------------------------------------------------------------
def test_search_finds_calls_and_is_on_record(place: Path) -> None:
    result = patchbay("search", "my name is", "--since", "2000-01-01")
    assert result.exit_code == 0
    assert "my name is <PERSON>" in result.output
    assert "3 calls of 3" in result.output
    searched, *read = oversight(place)
    assert searched.model_dump()["words"] == "my name is"
    assert searched.model_dump()["since"] == "2000-01-01T00:00:00+00:00"
    assert searched.actor.startswith("local:")
    assert [event.call_id for event in read] == ["old", "new", "on-now"]


def test_search_writes_a_line_of_json_for_each_call(place: Path) -> None:
    result = patchbay("search", "--entity", "PERSON", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["call_id"] for line in lines] == ["old", "new", "on-now"]
    assert lines[0]["events"][0]["text"] == "my name is <PERSON>"


def test_search_stops_at_its_limit_and_exits_1_when_there_is_nothing(place: Path) -> None:
    assert len(patchbay("search", "name", "--limit", "1", "--json").stdout.splitlines()) == 1
    nothing = patchbay("search", "bananas")
    assert nothing.exit_code == 1
    assert "0 calls of 3" in nothing.output
    assert kinds(place) == ["searched", "accessed", "searched"]


def test_search_looks_only_where_it_is_told(place: Path) -> None:
    assert [
        json.loads(line)["call_id"]
        for line in patchbay("search", "name", "--call", "new", "--json").stdout.splitlines()
    ] == ["new"]
    assert patchbay("search", "name", "--call", "nobody").exit_code == 2
    assert patchbay("search").exit_code == 2
    assert "is no time" in patchbay("search", "name", "--since", "soon").output


def test_search_tells_of_erased_calls_and_does_not_show_them(place: Path) -> None:
    patchbay("erase", "old", "--reason", "asked for", "--yes")
    result = patchbay("search", "my name is")
    assert "2 calls of 3; 1 erased and not searched" in result.output


def test_a_key_that_nobody_on_record_destroyed_is_not_an_erasure(place: Path, tmp_path: Path) -> None:
    patchbay("erase", "old", "--reason", "asked for", "--yes")
    assert patchbay("verify").exit_code == 0, "an erasure on record is in order"
    with unguarded(place) as db:
        db.execute("UPDATE call_keys SET wrapped = NULL WHERE call_id = 'new'")
    for command in (
        ["verify"],
        ["search", "my name is"],
        ["export", "--out", tmp_path / "out"],
        ["retain", "--dry-run"],
    ):
        result = patchbay(*command)
        assert result.exit_code == 1, result.output
        assert "the key of call new is gone, and nobody on record erased it" in result.output
        assert "call old" not in result.output
    assert "1 erased and not searched" in patchbay("search", "my name is").output


# -- who may ------------------------------------------------------------------------------------------------
def test_a_new_ledger_is_its_owners_until_a_token_is_issued(place: Path) -> None:
    assert patchbay("search", "name").exit_code == 0
    issue("ada", "auditor")
    refused = patchbay("search", "name")
    assert refused.exit_code == 2
    assert "has admin, which does not permit 'read'" in refused.output
    assert kinds(place)[-1] == "access_refused"
    assert patchbay("token", "list").exit_code == 0


def test_a_token_permits_what_its_role_does(place: Path) -> None:
    ada = issue("ada", "auditor")
    assert patchbay("search", "name", token=ada).exit_code == 0
    for refused in (["hold", "old", "--reason", "r"], ["erase", "old", "--reason", "r", "--yes"], ["retain"]):
        result = patchbay(*refused, token=ada)
        assert result.exit_code == 2
        assert "token:ada has auditor" in result.output
    assert oversight(place)[1].actor == "token:ada"


def test_a_token_that_was_revoked_or_never_issued_is_refused(place: Path) -> None:
    ada = issue("ada", "auditor")
    assert patchbay("token", "revoke", ada.split("_")[1]).exit_code == 0
    revoked = patchbay("search", "name", token=ada)
    assert revoked.exit_code == 2
    assert "was revoked" in revoked.output
    wrong = patchbay("search", "name", token="pba_wrong")
    assert wrong.exit_code == 2
    assert "pba_wrong" not in wrong.output
    states = said(patchbay("token", "list", "--json"))
    assert [(one["name"], one["state"]) for one in states] == [("ada", "revoked")]


def test_a_token_is_printed_alone_so_that_it_can_be_piped(place: Path) -> None:
    result = patchbay("token", "issue", "ada", "--role", "auditor", "--days", "7")
    assert len(result.stdout.split()) == 1
    assert "token" in result.stderr
    assert result.stdout.strip() not in "".join(event.model_dump_json() for event in oversight(place))


def test_a_person_signs_in_by_the_issuer(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as issuer:
        issuer.keys = {"ec-1": EC}
        monkeypatch.setenv("PATCHBAY_OIDC_ISSUER", issuer.url)
        monkeypatch.setenv("PATCHBAY_OIDC_ROLES", '{"dpo": "privacy_officer"}')
        token = issuer.token(kid="ec-1", algorithm="ES256", roles=["dpo"])
        assert "without PATCHBAY_OIDC_AUDIENCE" in patchbay("hold", token=token).output
        monkeypatch.setenv("PATCHBAY_OIDC_AUDIENCE", AUDIENCE)
        assert patchbay("hold", "old", "--reason", "matter 7", token=token).exit_code == 0
        assert patchbay("search", "name").exit_code == 2  # the local user, who reads nothing now
    assert oversight(place)[0].actor == "oidc:2b7f"


def test_a_ledger_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = patchbay("access", "--ledger", tmp_path / "none.sqlite")
    assert result.exit_code == 2
    assert "there is no ledger at" in result.output
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("command", [["policy", "replay"], ["policy", "explain", "last"], ["cost", "bill"]])
def test_other_commands_read_calls_only_for_who_may_and_on_record(place: Path, command: list[str]) -> None:
    CliRunner().invoke(app, command)
    processed = oversight(place)[0].model_dump()
    assert (processed["kind"], processed["what"], processed["calls"]) == (
        "processed",
        " ".join(command).removesuffix(" last"),
        3,
    )
    issue("ada", "auditor")
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "does not permit 'read'" in refused.output


# -- who saw what -------------------------------------------------------------------------------------------
def test_access_shows_who_saw_what_and_is_on_record_itself(place: Path) -> None:
    patchbay("search", "my name is", "--call", "new")
    first = said(patchbay("access", "--json"))
    assert [event["kind"] for event in first] == ["searched", "accessed"]
    again = patchbay("access", "--call", "new")
    assert "what: search" in again.output
    assert "local:" in again.output
    assert kinds(place) == ["searched", "accessed", "accessed", "accessed"]


def test_access_can_be_narrowed(place: Path) -> None:
    patchbay("search", "name", "--call", "new")
    assert patchbay("access", "--kind", "revealed").exit_code == 1
    assert patchbay("access", "--who", "nobody").exit_code == 1
    assert patchbay("access", "--since", "2999-01-01").exit_code == 1
    assert len(said(patchbay("access", "--kind", "searched", "--json"))) == 1


# -- hold, erase --------------------------------------------------------------------------------------------
def test_a_held_call_cannot_be_erased_until_it_is_released(place: Path) -> None:
    (placed,) = said(patchbay("hold", "old", "--reason", "matter 7", "--json"))
    refused = patchbay("erase", "old", "--reason", "asked for", "--yes")
    assert refused.exit_code == 2
    assert f"held and not erased: call old (hold {placed['hold']})" in refused.output
    assert "matter 7" in patchbay("hold").output
    assert patchbay("release", placed["hold"], "--reason", "settled").exit_code == 0
    assert "no call is held" in patchbay("hold").output
    assert patchbay("erase", "old", "--reason", "asked for", "--yes").exit_code == 0


def test_erasing_leaves_nothing_to_read_and_a_record_that_verifies(place: Path) -> None:
    spool = Spool.beside(place, "old").path
    spool.write_text("redacted events that never reached the ledger\n")
    recording = Recordings(place.with_name("recordings")).path("old")
    recording.parent.mkdir()
    recording.write_bytes(b"sound")
    (gone,) = said(patchbay("erase", "old", "--reason", "asked for", "--yes", "--json"))
    assert gone == {"call_id": "old", "what": "call", "items": 4, "rule": ""}
    assert not spool.exists()
    assert not recording.exists()
    ledger = Ledger.open(place, must_exist=True)
    with pytest.raises(ErasedError):
        ledger.events("old")
    assert len(ledger.events("new")) == 3
    ledger.close()
    assert kinds(place) == ["erasure_ordered", "erased"]


def test_erasing_asks_first(place: Path) -> None:
    assert patchbay("erase", "old", "--reason", "asked for", typed="n\n").exit_code == 2
    assert kinds(place) == []
    assert patchbay("erase", "old", "--reason", "asked for", typed="y\n").exit_code == 0


def test_erasing_takes_a_reason_and_calls_that_are_there_and_over(place: Path) -> None:
    assert "takes a --reason" in patchbay("erase", "old", "--yes").output
    assert "holds no call nobody" in patchbay("erase", "nobody", "--reason", "r", "--yes").output
    assert "on-now is still on" in patchbay("erase", "old", "on-now", "--reason", "r", "--yes").output
    assert kinds(place) == []


def test_what_people_type_is_shown_as_it_is(place: Path) -> None:
    reason = "matter [7] [/bold] [red]x[/red]"
    assert patchbay("hold", "old", "--reason", reason).exit_code == 0
    assert reason in patchbay("hold").output
    assert reason in patchbay("access").output


# -- retain -------------------------------------------------------------------------------------------------
def test_retention_destroys_what_is_due_and_nothing_else(place: Path) -> None:
    dry = said(patchbay("retain", "--dry-run", "--json"))
    assert (dry["due"], dry["destroyed"]) == ([{"call_id": "old", "what": "call", "rule": "calls"}], [])
    assert kinds(place) == ["accessed"], "what is due was seen"
    done = said(patchbay("retain", "--json"))
    assert [(one["call_id"], one["items"]) for one in done["destroyed"]] == [("old", 2)]
    assert kinds(place)[1:] == ["erasure_ordered", "retained"]
    assert said(patchbay("retain", "--json"))["destroyed"] == []


def test_retention_keeps_what_is_held_and_says_so(place: Path) -> None:
    patchbay("hold", "old", "--reason", "matter 7")
    result = patchbay("retain")
    assert result.exit_code == 0
    assert "held and kept: call of call old, due by calls" in result.output


def test_retention_follows_the_policy_it_is_given(place: Path, tmp_path: Path) -> None:
    policy = tmp_path / "retention.yaml"
    policy.write_text(
        "retention: {name: mine, version: 1}\nrules: [{id: s, keep: sealed, days: 1, because: b}]\n"
    )
    done = said(patchbay("retain", "--policy", policy, "--json"))
    assert [(one["call_id"], one["what"]) for one in done["destroyed"]] == [("old", "sealed")]
    policy.write_text("retention: {name: mine}\n")
    assert f"{policy}:1:12: `version` is missing" in patchbay("retain", "--policy", policy).output


def test_retention_is_run_by_a_service(place: Path) -> None:
    nightly = issue("nightly", "service")
    assert patchbay("retain", token=nightly).exit_code == 0
    assert oversight(place)[-1].role == "service"


# -- reveal -------------------------------------------------------------------------------------------------
def test_a_sealed_value_takes_two_people(place: Path) -> None:
    pia, ada = issue("pia", "privacy_officer"), issue("ada", "auditor")
    assert said(patchbay("reveal", "old", "--json", token=pia))[0]["entity"] == "PERSON"
    asked = said(patchbay("reveal", "old", "--value", "1", "--reason", "a court order", "--json", token=pia))
    name = asked["request"]
    waiting = patchbay("reveal", "--request", name, token=pia)
    assert (waiting.exit_code, "Jane" in waiting.output) == (2, False)
    assert "a court order" in patchbay("approve", token=ada).output
    assert patchbay("approve", name, token=pia).exit_code == 2
    assert patchbay("approve", name, token=ada).exit_code == 0
    assert "Jane Miller" in patchbay("reveal", "--request", name, token=pia).output
    (standing,) = said(patchbay("approve", "--json", token=ada))
    assert (standing["request"], standing["approved_by"]) == (name, "token:ada")
    story = [kind for kind in kinds(place) if kind.startswith(("reveal", "access_refused"))]
    assert story == ["reveal_requested", "access_refused", "reveal_approved", "revealed"]


def test_the_owner_of_an_embedded_ledger_cannot_reveal_alone(place: Path) -> None:
    asked = said(patchbay("reveal", "old", "--value", "1", "--reason", "curious", "--json"))
    assert patchbay("approve", asked["request"]).exit_code == 2
    assert patchbay("reveal", "--request", asked["request"]).exit_code == 2


@pytest.mark.parametrize("hours", ["nan", "inf", "-1", "0", "169", "1e300"])
def test_a_request_stands_for_a_week_at_most(place: Path, hours: str) -> None:
    asked = patchbay("reveal", "old", "--value", "1", "--reason", "r", "--hours", hours)
    assert asked.exit_code == 2
    assert "up to 168 hours" in asked.output


def test_a_call_or_a_request_is_named(place: Path) -> None:
    assert patchbay("reveal").exit_code == 2
    assert patchbay("reveal", "old", "--request", "r").exit_code == 2
    assert patchbay("reveal", "new").exit_code == 1
    assert patchbay("approve").exit_code == 1


# -- a tenant's own log -------------------------------------------------------------------------------------
@pytest.fixture
def acme(place: Path) -> Path:
    ledger = Ledger.open(place, tenant="acme")
    record_call(ledger, "theirs")
    ledger.close()
    return place


def test_each_tenant_has_people_calls_and_a_trace_of_its_own(acme: Path) -> None:
    issue("ada", "auditor")
    result = patchbay("search", "name", "--tenant", "acme", "--json")  # nobody was let in there yet
    assert [json.loads(line)["call_id"] for line in result.stdout.splitlines()] == ["theirs"]
    assert kinds(acme) == ["token_issued"]
