"""Known secrets are said in calls on every engine and under faults; then every byte that was written is searched.

What is searched: all files in the folder of the line (ledger, spool, recordings, reports, exports), every event of the
record decrypted, what live views were shown, all that was logged at the lowest level, spans, metrics, and the output of
the commands that show calls.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from compliance.events import CallEnded, CallerSaid, Event, PartFailed, redactable
from compliance.redaction.pieces import Kind
from compliance.redaction.spoken import hear
from lab.faults import Fault
from lab.rehearsal import planned_policy
from router import Policy
from service.aside import Aside
from service.call import Call
from service.cli import app
from service.exchange import Exchange
from service.line import Line
from service.private_logs import PrivateLogs
from service.telemetry import CallMetrics, Spans, tracing
from tests.patience import patient_engines, without_limits
from tests.refusing_ledger import RefusingLedger
from tests.together import make_all
from tests.whole_call import WholeCall, answered, asks, exchange_and_lab, greeted, without_settings

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

NUMBERS = ("4111223498765501", "5550142778")
WRITTEN = (
    *("41112234", "98765501", "4111 2234", "9876 5501", "4111-2234", "555 0142", "5550142", "555-0142"),
    *("four one one one two two", "nine eight seven six five five", "five five five zero one four"),
    *("john.smith", "mark.smith", "j o h n", "m a r k", "s m i t h", "smith at gmail", "m as in mike"),
)
LONGEST_PART = 4
"""A last four may be kept; five digits of a planted number in a row may not, in anything that was said."""
CHANCE = 7
"""In figures, times and ciphertext fewer digits than these come together by chance."""
_RUN = re.compile(rf"\d(?:[ ,.-]?\d){{{CHANCE - 1},}}")
_FRACTION = re.compile(r"(?<![\d.])\d+\.\d{3,}(?:e[+-]?\d+)?(?![\d.])")
"""A time or a cost: a million digits of them have any seven of a number by chance, and nobody writes a card like it."""


def planted_in(text: str) -> list[str]:
    """What of the planted values any text, or bytes read as one, gives away."""
    low = re.sub(r"\s+", " ", text.lower())
    return [written for written in WRITTEN if written in low] + [
        f"{part} in {run}"
        for run in _RUN.findall(_FRACTION.sub(" ", low))
        for part in parts(re.sub(r"\D", "", run), CHANCE)
    ]


def planted_in_words(text: str) -> list[str]:
    """What of them words give away, however they are said."""
    numbers = hear(text).of_kind(Kind.NUMBER)
    return planted_in(text) + [part for one in numbers for part in parts(one.digits, LONGEST_PART + 1)]


def parts(run: str, fewest: int) -> list[str]:
    """The parts of a planted number, of ``fewest`` digits, that are in a run of digits."""
    found = (run[at : at + fewest] for at in range(len(run) - fewest + 1))
    return [part for part in found if any(part in number for number in NUMBERS)]


OTHER_ENGINES = """
  gemini:
    kind: realtime
    model: {plugin: google, model: gemini-2.5-flash-native-audio-preview-12-2025, options: {own_transcript: true}}
    tools: true
  half_cascade:
    kind: half_cascade
    model: {plugin: openai, model: gpt-realtime, options: {own_transcript: gpt-4o-mini-transcribe}}
    voices: [house]
  live: {kind: duplex, model: {plugin: openai, model: gpt-live-1}, tools: true}
"""
CARD_TURNS = ("03_card_phone_two_breaths_t02", "03_card_phone_two_breaths_t03")
MAIL_TURNS = ("09_email_spelled_t02", "09_email_spelled_t04")


@dataclass(frozen=True)
class Case:
    """What a caller says, and which engine answers each turn."""

    turns: tuple[str, ...]
    engines: tuple[str, ...]
    breaks: str = ""


@dataclass(frozen=True)
class Scene:
    """Calls at once on one line, and the faults of its providers."""

    cases: tuple[Case, ...]
    faults: dict[str, Fault] = field(default_factory=dict)


SCENES = {
    "every engine": Scene(
        (
            Case(CARD_TURNS, ("fast", "tool")),
            Case(CARD_TURNS, ("realtime", "standard")),
        )
    ),
    "spelled": Scene((Case(MAIL_TURNS, ("tool", "realtime")),)),
    "every other kind of engine": Scene(
        (Case(CARD_TURNS, ("gemini", "half_cascade")), Case(CARD_TURNS, ("fast", "live")))
    ),
    "providers fail": Scene(
        (Case(CARD_TURNS, ("fast", "realtime")), Case(MAIL_TURNS, ("standard", "tool"))),
        {
            "openai.chat": Fault("malformed", times=2),
            "openai.realtime": Fault("drop", times=1),
            "deepgram": Fault("drop", times=1, after=2),
        },
    ),
    "our parts fail": Scene(
        (
            Case(CARD_TURNS, ("fast", "standard"), breaks="redaction"),
            Case(CARD_TURNS, ("fast", "standard"), breaks="ledger"),
        )
    ),
}


@dataclass
class Searched:
    """The calls of a scene, when they are over, and all that was written of them."""

    calls: list[WholeCall]
    live: list[Event]
    sinks: dict[str, str]


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """All that is logged at any level, as the service's own handlers would write it."""
    told = io.StringIO()

    class Everything(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.write(f"{record.getMessage()} {vars(record)}\n")

    handler = Everything()
    handler.addFilter(PrivateLogs())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


SCENES_AT_ONCE = 2
"""Of two calls at most."""


async def played(name: str, folder: Path) -> Searched:
    """The calls of a scene, and what is written of them as they go; what commands write is to come."""
    scene, folder = SCENES[name], place(folder, name)
    exporter, registry = InMemorySpanExporter(), CollectorRegistry()
    watchers = (CallMetrics(registry).take, Spans(tracing(SimpleSpanProcessor(exporter))).take)
    live: list[Event] = []

    async def one_call(ready: Exchange, case: Case) -> WholeCall:
        parts = replace(ready, policy=Policy.parse(planned_policy(case.engines)), watchers=watchers)
        if case.breaks == "redaction":
            hurried = parts.settings.model_copy(update={"redaction_closing_s": 1.0})
            parts = replace(parts, settings=hurried, redaction=Aside(folder / "nowhere"))
        if case.breaks == "ledger":
            refusing: Any = RefusingLedger(ready.ledger)
            parts = replace(parts, ledger=refusing)

        async def speak(line: Line, _: Call) -> None:
            await greeted(line)
            for turn in case.turns:
                await asks(line, turn)

        return await answered(parts, speak, watch=lambda line, event: live.append(event))

    folder.mkdir()
    (folder / "engines.yaml").write_text(patient_engines() + OTHER_ENGINES)
    settings = {
        "consent_recording": True,
        "region": "us",
        "jurisdiction": "us",
        "catalogue": folder / "engines.yaml",
    }
    async with exchange_and_lab(folder, folder.with_suffix(".shop"), **settings) as (ready, lab):
        for provider, fault in scene.faults.items():
            await lab.set_fault(provider, fault)  # type: ignore[arg-type]
        calls = await asyncio.gather(*(one_call(ready, case) for case in scene.cases))
    sinks = {
        "record": "\n".join(event.model_dump_json() for call in calls for event in call.events),
        "live view": "\n".join(event.model_dump_json() for event in live),
        "spans": "\n".join(span.to_json() for span in exporter.get_finished_spans()),
        "metrics": generate_latest(registry).decode(),
    }
    return Searched(calls, live, sinks)


def place(folder: Path, name: str) -> Path:
    """The folder of a scene's line."""
    return folder / name.replace(" ", "_")


def files(folder: Path) -> dict[str, str]:
    """All files of a line, byte by byte."""
    return {
        str(file.relative_to(folder)): file.read_bytes().decode("latin-1")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def commands(folder: Path) -> str:
    """What the commands that show or copy calls print; what they write goes to the folder."""
    ledger = str(folder / "ledger.sqlite")
    told = ""
    for arguments in (
        *(("audit", "export", "--format", kind, "--out", str(folder / f"export-{kind}")) for kind in EXPORTS),
        ("audit", "search", "card"),
        ("audit", "access"),
        ("audit", "verify"),
        ("latency",),
        ("cost", "bill"),
    ):
        done = CliRunner().invoke(app, [*arguments], env={"PATCHBAY_LEDGER": ledger})
        assert done.exit_code in (0, 1), f"{arguments}: {done.output}"  # 1: a search that found nothing
        told += done.output
    return told


EXPORTS = ("jsonl", "csv", "parquet", "vcon", "html")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Searched]:
    folder = tmp_path_factory.mktemp("planted")

    async def all_of_them() -> dict[str, Searched]:
        return await make_all(SCENES, lambda name: played(name, folder), at_once=SCENES_AT_ONCE)

    with pytest.MonkeyPatch.context() as patch, everything_logged() as logged:
        without_settings(patch)
        without_limits(patch)
        done = asyncio.run(all_of_them())
        for name, searched in done.items():
            searched.sinks["commands"] = commands(place(folder, name))
    for name, searched in done.items():
        searched.sinks |= {**files(place(folder, name)), "logs": logged.getvalue()}
    return done


@pytest.mark.parametrize("name", SCENES)
def test_the_calls_were_had_and_something_was_masked(searched: dict[str, Searched], name: str) -> None:
    done = searched[name]
    assert sum(isinstance(event, CallEnded) for event in done.live) == len(SCENES[name].cases)
    said = [event.text for event in done.live if isinstance(event, CallerSaid)]
    assert any("<" in text or "[" in text for text in said)


@pytest.mark.parametrize("name", SCENES)
def test_no_planted_value_is_in_any_sink(searched: dict[str, Searched], name: str) -> None:
    found = {sink: planted_in(text) for sink, text in searched[name].sinks.items()}
    assert {sink: values for sink, values in found.items() if values} == {}


@pytest.mark.parametrize("name", SCENES)
def test_no_part_of_a_number_is_in_what_was_said_or_passed_to_a_tool(
    searched: dict[str, Searched], name: str
) -> None:
    done = searched[name]
    events = [*done.live, *(event for call in done.calls for event in call.events)]
    texts = [str(getattr(event, field)) for event in events for field in redactable(event)]
    assert len(texts) >= 5 * len(SCENES[name].cases)
    assert [found for text in texts if (found := planted_in_words(text))] == []


@pytest.mark.parametrize("name", SCENES)
def test_every_kind_of_sink_was_searched(searched: dict[str, Searched], name: str) -> None:
    sinks = searched[name].sinks
    for wanted in ("ledger.sqlite", "record", "live view", "logs", "spans", "metrics", "commands"):
        assert sinks[wanted], wanted
    assert any("recordings" in sink for sink in sinks)
    assert {kind for kind in EXPORTS if any(sink.startswith(f"export-{kind}") for sink in sinks)} == {
        *EXPORTS
    }


def test_what_cannot_be_redacted_is_withheld(searched: dict[str, Searched]) -> None:
    [done, _] = searched["our parts fail"].calls
    assert {event.part for event in done.of(PartFailed)} >= {"redactor"}
    assert "card" not in " ".join(event.text for event in done.of(CallerSaid))


def test_the_search_finds_what_it_is_for() -> None:
    for leak in (
        "my card is 4111 2234 9876 5501",
        "four one one one two two three four",
        "it is 41,112,234",
        "reach me at john.smith@gmail.com",
        "five five five zero one four two",
    ):
        assert planted_in_words(leak), leak
    for harmless in ("card ending in 5501", "order 441792", "<CREDIT_CARD> and <PHONE_NUMBER>"):
        assert planted_in_words(harmless) == [], harmless
