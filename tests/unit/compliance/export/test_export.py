"""An export says what the ledger says, in every format, and whoever receives it can see that nobody changed it."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from compliance.events import AgentSaid, CallEnded, CallerSaid, CallStarted, Event
from compliance.export import FORMATS, ExportError, ProvedCall, export, file_name
from compliance.export.rows import COLUMNS, cell, text_of
from compliance.ledger import Ledger, verifier
from compliance.ledger.verifier import Key, Verification, VerifierError, verify_export
from tests.forged import unguarded
from tests.one_fixture import SHARED
from tests.unit.service.sample_call import call_with_a_person, furious_call

pytestmark = pytest.mark.unit

SCHEMA = json.loads(Path(__file__).with_name("vcon.schema.json").read_text(encoding="utf-8"))
VCON = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())

HOSTILE = [
    '=HYPERLINK("http://evil.example","click")', "+1 555 0100", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'quoted",
    "  =1", 'a "quote", a comma', "two\nlines", "</script><script>alert(1)</script>", "naïve — “text” 🙂", "<PERSON>",
    "",
]  # fmt: skip


def said(call_id: str, text: str, n: int = 0) -> CallerSaid:
    return CallerSaid(call_id=call_id, at_ms=n + 900, start_ms=n, end_ms=n + 800, text=text, confidence=0.9)


def small_call(call_id: str, *texts: str) -> list[Event]:
    started = CallStarted(
        call_id=call_id,
        at_ms=0,
        started_at="2026-11-16T09:30:00+00:00",
        source="file:x.wav",
        policy="p",
        policy_hash="00",
    )
    replies = [
        AgentSaid(
            call_id=call_id, at_ms=5_000, turn=1, engine="fast", generation=1, start_ms=4_000, end_ms=5_000,
            text="Thank you.", interrupted=False,
        )
    ]  # fmt: skip
    ended = CallEnded(call_id=call_id, at_ms=9_000, reason="hang-up", turns=1, cost_usd=0)
    return [started, *(said(call_id, text, n) for n, text in enumerate(texts)), *replies, ended]


CALLS = {
    "furious": [e.model_copy(update={"call_id": "furious"}) for e in furious_call()],
    "hostile": small_call("hostile", *HOSTILE),
    "../a b/ü": small_call("../a b/ü", "my card is <CREDIT_CARD>"),
    "silent": small_call("silent")[:1],
    "person": [e.model_copy(update={"call_id": "person"}) for e in call_with_a_person()],
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory):
    with closing(Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")) as ledger:
        rest = [list(events) for events in CALLS.values()]
        while any(rest):  # as calls that are on at the same time
            ledger.append_many([events.pop(0) for events in rest if events])
        ledger.append_many(small_call("erased", "nobody will know"))
        ledger.destroy_key("erased")
        yield ledger


def exported(ledger: Ledger, form: str, folder: Path, calls: tuple[str, ...] = ()) -> list[ProvedCall]:
    return list(export(ledger, calls or ledger.calls(), FORMATS[form], folder))


@pytest.fixture(scope="module")
def folders(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("exports")
    for form in FORMATS:
        exported(ledger, form, base / form)
    return {form: base / form for form in FORMATS}


def checked(ledger: Ledger, path: Path) -> Verification:
    return verify_export(path, Key(ledger.vkey))


def appended(ledger: Ledger) -> list[dict[str, Any]]:
    return [event.model_dump(mode="json") for call in CALLS for event in ledger.events(call)]


# -- what it says ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_and_says_how_much_of_it_was_erased(
    ledger: Ledger, folders: dict[str, Path], form: str
) -> None:
    found = checked(ledger, folders[form])

    assert found.ok, found.problems
    assert found.events == sum(map(len, CALLS.values())) + 4
    assert found.unread == 4
    assert "4 of them erased" in found.sentence


def test_json_lines_give_every_event_back(ledger: Ledger, folders: dict[str, Path]) -> None:
    lines = [json.loads(line) for line in (folders["jsonl"] / "events.jsonl").read_text("utf-8").splitlines()]
    events = [
        {name: value for name, value in line.items() if name not in ("seq", "recorded_at")}
        for line in lines
        if not line.get("erased")
    ]

    assert events == appended(ledger)
    assert [line["kind"] for line in lines if line.get("erased")] == [
        "call_started", "caller_said", "agent_said", "call_ended"
    ]  # fmt: skip


def test_a_spreadsheet_gives_every_event_back_and_no_cell_is_a_formula(
    ledger: Ledger, folders: dict[str, Path]
) -> None:
    with (folders["csv"] / "events.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))

    assert list(table[0]) == list(COLUMNS)
    events = [json.loads(text_of(row["event"])) for row in table if row["event"]]
    assert events == appended(ledger)
    said = [row for row in table if row["kind"] == "caller_said" and row["call_id"] == "hostile"]
    assert [text_of(row["text"]) for row in said] == HOSTILE
    for row in table:
        for value in row.values():
            assert not value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝")), value


@given(st.text())
def test_any_text_survives_a_cell_and_is_no_formula(text: str) -> None:
    written = cell(text)

    assert text_of(written) == text
    assert written.lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


def test_parquet_gives_every_event_back_with_types(ledger: Ledger, folders: dict[str, Path]) -> None:
    table = parquet.read_table(folders["parquet"] / "events.parquet")
    rows = table.to_pylist()

    assert [json.loads(row["event"]) for row in rows if row["event"]] == appended(ledger)
    assert table.schema.metadata[b"patchbay.key"].decode() == ledger.vkey
    assert {str(table.schema.field(name).type) for name in ("seq", "at_ms", "text")} == {
        "int64",
        "double",
        "string",
    }


# -- vCon -----------------------------------------------------------------------------------------------------
def vcons(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text("utf-8")) for path in folder.glob("*.vcon.json")}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_vcon_fits_the_ietfs_schema(folders: dict[str, Path]) -> None:
    made = vcons(folders["vcon"])

    assert len(made) == len(CALLS)
    for vcon in made.values():
        VCON.validate(vcon)
        for one in vcon["analysis"] + vcon["attachments"]:
            indices = one.get("dialog", [])
            for index in indices if isinstance(indices, list) else [indices]:
                assert index < len(vcon["dialog"])


@pytest.mark.parametrize(
    "change",
    [
        lambda vcon: vcon.pop("uuid"),
        lambda vcon: vcon.update(created_at="yesterday"),
        lambda vcon: vcon["dialog"][0].pop("mediatype"),
        lambda vcon: vcon["dialog"][0].update(type="speech"),
        lambda vcon: vcon["dialog"][0].update(parties=-1),
        lambda vcon: vcon["dialog"][0].update(url="https://example.com/x", content_hash="sha512-AA"),
        lambda vcon: vcon["dialog"][0].update(disposition="busy"),
        lambda vcon: vcon["dialog"][0].update(encoding="base64"),
        lambda vcon: vcon["analysis"][0].pop("vendor"),
        lambda vcon: vcon["attachments"][0].pop("start"),
        lambda vcon: vcon.update(amended={"uuid": vcon["uuid"]}),
    ],
)
def test_the_schema_refuses_what_is_no_vcon(
    folders: dict[str, Path], change: Callable[[Any], object]
) -> None:
    vcon = vcons(folders["vcon"])["hostile.vcon.json"]
    change(vcon)

    assert not VCON.is_valid(vcon)


def test_a_vcons_dialog_is_what_was_said_by_whom_and_when(folders: dict[str, Path]) -> None:
    dialog = vcons(folders["vcon"])["hostile.vcon.json"]["dialog"]

    assert [part["body"] for part in dialog] == [*HOSTILE, "Thank you."]
    assert [part["parties"] for part in dialog] == [0] * len(HOSTILE) + [1]
    assert dialog[-1]["start"] == "2026-11-16T09:30:04.000+00:00"
    assert dialog[-1]["duration"] == 1.0


def test_a_person_who_had_the_call_is_a_party_of_their_own(folders: dict[str, Path]) -> None:
    vcon = vcons(folders["vcon"])["person.vcon.json"]

    assert vcon["parties"][2:] == [{"type": "person", "name": "anna"}]
    assert [part["parties"] for part in vcon["dialog"]][-3:] == [2, 0, 2]
    assert vcon["dialog"][-1]["body"] == "thank you that is paid"


@pytest.mark.parametrize(
    "change",
    [
        lambda vcon: vcon["parties"][2].update(name="kim"),
        lambda vcon: vcon["parties"].pop(),
        lambda vcon: vcon["parties"].append({"type": "person", "name": "kim"}),
        lambda vcon: vcon["parties"][1].update(type="person"),
        lambda vcon: vcon["dialog"][-1].update(parties=1),
    ],
)
def test_whoever_is_said_to_have_spoken_in_a_vcon_has(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path, change: Callable[[Any], object]
) -> None:
    vcon = vcons(folders["vcon"])["person.vcon.json"]
    change(vcon)
    (tmp_path / "changed.vcon.json").write_text(json.dumps(vcon))

    assert not checked(ledger, tmp_path / "changed.vcon.json").ok


def test_a_call_exported_twice_is_the_same_vcon(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path
) -> None:
    exported(ledger, "vcon", tmp_path / "again")
    uuids = [
        {name: one["uuid"] for name, one in vcons(f).items()} for f in (folders["vcon"], tmp_path / "again")
    ]

    assert uuids[0] == uuids[1]
    assert len(set(uuids[0].values())) == len(CALLS)


def test_a_vcon_alone_holds(ledger: Ledger, folders: dict[str, Path]) -> None:
    for path in folders["vcon"].glob("*.vcon.json"):
        assert checked(ledger, path).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda vcon: vcon["dialog"][3].update(body="something else"),
        lambda vcon: vcon["dialog"][3].update(parties=1),
        lambda vcon: vcon["dialog"].pop(),
        lambda vcon: vcon["dialog"].reverse(),
        lambda vcon: vcon["analysis"][0]["body"][2].update(text="something else"),
        lambda vcon: vcon["attachments"][0]["body"].pop(3),
        lambda vcon: vcon["dialog"][0].update(start="2036-01-01T00:00:00.000+00:00"),
        lambda vcon: vcon["dialog"][0].update(duration=9999),
        lambda vcon: vcon["dialog"][0].update(originator=1),
        lambda vcon: vcon["dialog"].append(
            {"type": "recording", "url": "https://evil.example/x.wav", "parties": [0]}
        ),
        lambda vcon: vcon.update(subject="Fraud"),
        lambda vcon: vcon.update(created_at="1999-01-01T00:00:00.000Z"),
        lambda vcon: vcon["parties"][0].update(tel="+15550100"),
        lambda vcon: vcon["attachments"].append(
            {"purpose": "contract", "body": "I agree", "encoding": "none"}
        ),
        lambda vcon: vcon["attachments"][1].update(body="another checkpoint"),
        lambda vcon: vcon["analysis"].append({"type": "summary", "body": "he confessed", "encoding": "none"}),
        lambda vcon: vcon.update(group=[{"uuid": vcon["uuid"]}]),
    ],
)
def test_a_changed_vcon_is_found(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path, change: Callable[[Any], object]
) -> None:
    vcon = vcons(folders["vcon"])["hostile.vcon.json"]
    change(vcon)
    (tmp_path / "changed.vcon.json").write_text(json.dumps(vcon))

    assert not checked(ledger, tmp_path / "changed.vcon.json").ok


# -- what a receiver can see ----------------------------------------------------------------------------------
@pytest.fixture
def proofs(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(folders["jsonl"] / "proofs.jsonl", tmp_path))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def number_of(lines: list[dict[str, Any]], words: str) -> int:
    return next(n for n, line in enumerate(lines) if words in (line.get("event") or ""))


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.update(event=line["event"].replace("CREDIT_CARD", "IBAN_CODE")),
        lambda line: line.update(event=line["event"].replace('"kind":"caller_said"', '"kind":"agent_said"')),
        lambda line: line.update(opening="00" * 32),
        lambda line: line.update(seq=line["seq"] + 1),
        lambda line: line.update(leaf=line["leaf"][:-8] + "AAAAAAA="),
        lambda line: line["proof"].reverse(),
        lambda line: line["proof"].pop(),
    ],
)
def test_a_changed_event_of_an_export_is_named(
    ledger: Ledger, proofs: Path, change: Callable[[Any], object]
) -> None:
    lines = lines_of(proofs)
    bad = number_of(lines, "<CREDIT_CARD>")
    seq = lines[bad]["seq"]
    change(lines[bad])
    write(proofs, lines)

    found = checked(ledger, proofs)
    assert found.first is not None
    assert found.first.seq in (seq, seq + 1)
    assert found.first.call
    assert found.first.kind == "caller_said"


def test_events_removed_from_or_moved_in_an_export_are_found(ledger: Ledger, proofs: Path) -> None:
    lines = lines_of(proofs)
    bad = number_of(lines, "two\\nlines")
    write(proofs, lines[:bad] + lines[bad + 1 :])
    assert "is missing" in checked(ledger, proofs).sentence

    write(proofs, [*lines[:bad], lines[bad + 1], lines[bad], *lines[bad + 2 :]])
    assert not checked(ledger, proofs).ok


def test_an_event_of_a_call_cannot_be_passed_off_as_erased(ledger: Ledger, proofs: Path) -> None:
    lines = lines_of(proofs)
    bad = number_of(lines, "two\\nlines")
    seq = lines[bad]["seq"]
    lines[bad].update(event=None, opening=None)
    write(proofs, lines)

    found = checked(ledger, proofs)
    assert found.first is not None
    assert (found.first.seq, found.first.call) == (seq, "hostile")


def test_an_export_without_events_is_nothing_to_check(ledger: Ledger, proofs: Path) -> None:
    write(proofs, lines_of(proofs)[:1])

    with pytest.raises(VerifierError, match="no export"):
        checked(ledger, proofs)


def test_an_event_of_another_ledger_is_found(ledger: Ledger, proofs: Path, tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path / "other.sqlite")) as other:
        other.append_many(CALLS["hostile"])
        exported(other, "jsonl", tmp_path / "other")
        foreign = lines_of(tmp_path / "other" / "proofs.jsonl")
        assert not checked(ledger, tmp_path / "other").ok
    write(proofs, [*lines_of(proofs), *foreign[1:]])

    assert not checked(ledger, proofs).ok
    write(proofs, [foreign[0], *lines_of(proofs)[1:]])
    assert "not signed by the key" in checked(ledger, proofs).sentence


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_removed_or_added_file_is_found(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path, form: str
) -> None:
    for work, told in (
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "was changed"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_name("more.txt").write_text("x"), "was added"),
    ):
        folder = tmp_path / told
        shutil.copytree(folders[form], folder)
        work(next(path for path in sorted(folder.iterdir()) if path.name.endswith((form, "events.csv", ".json"))
                  and path.name != "proofs.jsonl"))  # fmt: skip
        assert told in checked(ledger, folder).sentence


def test_a_list_of_files_that_somebody_else_wrote_is_found(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    shutil.copytree(folders["csv"], folder)
    manifest = folder / "manifest.txt"
    for text in (manifest.read_text().replace("events.csv", "events.txt"), ledger.checkpoint()):
        manifest.write_text(text)
        assert "is not signed by the key" in checked(ledger, folder).sentence


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
@given(st.data())
def test_any_damage_to_an_exports_files_is_found(
    ledger: Ledger, folders: dict[str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / hashlib.sha256(repr(data).encode()).hexdigest()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folders["csv"], folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    text = bytearray(path.read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(text))
    with suppress(VerifierError):
        assert not checked(ledger, folder).ok


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_garbage_is_no_export(ledger: Ledger, tmp_path: Path, garbage: bytes) -> None:
    for name in ("proofs.jsonl", "call.vcon.json"):
        (tmp_path / name).write_bytes(garbage)
        with pytest.raises(VerifierError):
            checked(ledger, tmp_path / name)


# -- how it is written ----------------------------------------------------------------------------------------
def test_what_leaves_is_put_on_record_before_anything_of_it_is_written(
    ledger: Ledger, tmp_path: Path
) -> None:
    def refuse(call: ProvedCall) -> None:
        raise PermissionError("the ledger refused")

    with pytest.raises(ExportError):
        list(export(ledger, ["hostile"], FORMATS["csv"], tmp_path / "out", before=refuse))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ExportError, match="there is something already"):
        exported(ledger, "jsonl", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_ledger_that_was_tampered_with_is_not_exported(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many(small_call("a", "one"))
    with unguarded(path) as db:
        db.execute("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 2")
    with closing(Ledger.open(path)) as ledger, pytest.raises(ExportError, match="is not what was signed"):
        exported(ledger, "jsonl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.text(min_size=1, max_size=300).filter(lambda text: "\0" not in text))
def test_a_files_name_says_the_call_and_is_no_path(call_id: str) -> None:
    name = file_name(call_id)

    assert len(name) < 200
    assert not set(name) & set("/\\:. ")


def test_nothing_but_the_opening_of_what_is_shown_is_disclosed(
    ledger: Ledger, folders: dict[str, Path]
) -> None:
    """What the keys of a call give otherwise, such as that of its recording, is nowhere in an export."""
    secrets = [
        ledger.derived_key(call, purpose) for call in CALLS for purpose in ("recording", "sealed", "opening")
    ]
    for folder in folders.values():
        for path in folder.iterdir():
            data = path.read_bytes()
            assert not any(secret.hex().encode() in data or secret in data for secret in secrets)
    assert verifier.signed_checkpoint((folders["csv"] / "checkpoint.txt").read_bytes(), Key(ledger.vkey))
