"""Calls whose engines are reached by an address: a self-hosted line, an open model cut short, and Flux's ears.

The self-hosted line is a whole call on the lab, which stands for the servers of one's own: no key is set, and the lab
stands in for nobody.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.events import AgentSaid, CallerSaid, CallStarted, HandedOff, PreviewSettled, ProviderFailed
from compliance.transcriber import Segment
from engines.catalogue import Catalogue
from engines.component import Component
from lab.delays import Delays
from lab.journal import Entry
from lab.server import Lab, LabSettings
from service.call import Call
from service.costs import bill
from service.exchange import Exchange
from service.line import Line
from service.settings import Settings
from tests.desk_call import (
    BYE,
    BYE_TEXT,
    ENDPOINTING_S,
    HOURS,
    HOURS_TEXT,
    ORDER,
    ORDER_TEXT,
    DeskCall,
    Plan,
    patient,
    recording,
)
from tests.patience import without_limits
from tests.together import understood
from tests.whole_call import WholeCall, answered, asks, greeted, without_settings

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

COMPLAINT = "05_furious_from_first_word_t02"
CATALOGUE = """\
version: 1
greeting: Hello, this is the automated assistant of Harbour Goods.
offer: How can I help you?
instructions: Answer briefly.
hosts: [127.0.0.1]
endpointing_ms: 900
transcriber: {{plugin: openai, model: whisper-large-v3, base_url: {url}/v1, keyless: true, options: {{language: en}}}}
voices:
  house: {{plugin: openai, model: tts-1, base_url: {url}/v1, keyless: true, options: {{voice: nova}}}}
engines:
  fast: &llama
    kind: cascade
    model: {{plugin: openai, model: llama-3.1-8b, base_url: {url}/v1, keyless: true}}
    voices: [house]
  standard: *llama
  realtime:
    kind: realtime
    model: {{plugin: openai, model: ultravox-v0.6, base_url: {url}/plain/v1, keyless: true}}
"""
POLICY = """
policy: {name: by-url, version: 1}
engines: {fast: {fallback: [standard]}, standard: {}, realtime: {fallback: [standard]}}
last_resort: standard
rules:
  - {id: second, when: turn.count == 2, route: realtime, because: the second turn is heard by an open model}
  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}
"""
PRICES = """
version: 2
as_of: today
source: the machines
prices:
  self-hosted/whisper-large-v3: {audio_minutes: 0.6}
  self-hosted/llama-3.1-8b: {input_text_tokens: 10, cached_text_tokens: 10, output_text_tokens: 10}
  self-hosted/*: {characters: 1}
  openai/*: {input_text_tokens: 1000, output_text_tokens: 1000, characters: 1000, audio_minutes: 1000}
"""


async def three_turns(line: Line, _: Call) -> None:
    await greeted(line)
    for name in (HOURS, ORDER, BYE):
        await asks(line, name)


async def self_hosted(folder: Path) -> tuple[WholeCall, list[Entry]]:
    async with Lab(LabSettings(delays=Delays.none())) as lab:
        files = {"engines.yaml": CATALOGUE.format(url=lab.url), "policy.yaml": POLICY, "prices.yaml": PRICES}
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        settings = Settings(
            ledger=str(folder / "ledger.sqlite"),
            catalogue=folder / "engines.yaml",
            policy=folder / "policy.yaml",
            prices=folder / "prices.yaml",
            consent_voice_ai=True,
        )
        ready = await asyncio.to_thread(Exchange.load, settings)
        journal = lab.context.journal.entries

        async def call() -> tuple[WholeCall, list[Entry]]:
            before = len(journal)
            return await answered(ready, three_turns, source="lab:self-hosted"), journal[before:]

        try:
            return await understood(call, lambda made: made[0].heard(HOURS_TEXT, ORDER_TEXT, BYE_TEXT))
        finally:
            ready.close()


class HeardByFlux:
    """A call at the desk that Flux hears."""

    def __init__(self) -> None:
        self.call: DeskCall
        self.messages: list[tuple[str, str]] = []
        self.segments: list[Segment] = []

    async def make(self) -> None:
        def change(catalogue: Catalogue) -> Catalogue:
            options = {"eager_eot_threshold": 0.4, "eot_threshold": 0.7}
            return replace(catalogue, transcriber=Component("deepgram", "flux-general-en", options))

        async with Lab(LabSettings(delays=Delays.none())) as lab:
            plan = Plan(("fast", "realtime", "fast"))
            async with DeskCall(lab, plan, name="flux", change=change) as call:
                for spoken in (HOURS, ORDER, BYE):
                    await call.asks(spoken)
                self.call, self.messages, self.segments = call, call.messages, call.segments


class OpenModelCutShort:
    """A call at the desk with an open realtime model, which the caller interrupts; it knows no cancelling."""

    def __init__(self) -> None:
        self.call: DeskCall
        self.messages: list[tuple[str, str]] = []

    async def make(self) -> None:
        async with Lab(LabSettings(delays=Delays.none())) as lab:
            mind = Component("openai", "ultravox-v0.6", {}, f"{lab.url}/plain/v1", keyless=True)

            def change(catalogue: Catalogue) -> Catalogue:
                engine = replace(catalogue.engines["realtime"], mind=mind)
                return replace(catalogue, engines={**catalogue.engines, "realtime": engine})

            async with DeskCall(lab, Plan(("realtime", "realtime")), name="open", change=change) as call:
                started_ms = await call.answered(await call.says(COMPLAINT))  # the reply to it is long
                await call.until(lambda: call.line.clock.now_ms() > started_ms + 1500)
                await call.answered(await call.line.say(recording(HOURS)))
                await call.heard_out()
                self.call, self.messages = call, call.messages


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flux = HeardByFlux()
        self.open = OpenModelCutShort()

    async def make(self) -> None:
        (self.own, self.asked), *_ = await asyncio.gather(
            self_hosted(self.folder), self.flux.make(), self.open.make()
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = Run(tmp_path_factory.mktemp("by_url"))
    with pytest.MonkeyPatch.context() as patch, patient():
        without_settings(patch)
        without_limits(patch)
        patch.setenv("OPENAI_API_KEY", "sk-of-a-vendor")
        asyncio.run(made.make())
    return made


def test_a_self_hosted_line_hears_thinks_and_speaks(run: Run) -> None:
    heard = " ".join(said.text for said in sorted(run.own.of(CallerSaid), key=lambda said: said.start_ms))
    assert heard == f"{HOURS_TEXT} {ORDER_TEXT} {BYE_TEXT}"
    assert [(said.turn, said.engine) for said in run.own.of(AgentSaid) if said.turn] == [
        (1, "fast"),
        (2, "realtime"),
        (3, "fast"),
    ]
    assert run.own.of(ProviderFailed) == []


def test_every_word_on_record_is_where_it_was_said(run: Run) -> None:
    """Without word times, a segment is where its utterance was."""
    said = sorted(run.own.of(CallerSaid), key=lambda said: said.start_ms)
    for one in said:
        first, last = round(one.start_ms * 24), round(one.end_ms * 24)
        inside = abs(run.own.caller[first:last].astype(int)).mean()
        assert inside > 200
        assert 300 < one.end_ms - one.start_ms < 6000


def test_nothing_of_it_is_a_vendors(run: Run) -> None:
    [started] = run.own.of(CallStarted)
    assert started.simulated == ()
    assert {line.name for line in bill([run.own.events], "provider")} == {"self-hosted"}


def test_it_costs_what_its_machines_cost(run: Run) -> None:
    lines = {line.name: line for line in bill([run.own.events], "model")}
    assert set(lines) == {
        "self-hosted/whisper-large-v3",
        "self-hosted/llama-3.1-8b",
        "self-hosted/tts-1",
        "self-hosted/ultravox-v0.6",
    }
    for name in ("whisper-large-v3", "llama-3.1-8b", "tts-1"):
        assert lines[f"self-hosted/{name}"].cost_usd > 0
    sent_s = sum(entry.payload["seconds"] for entry in run.asked if entry.name == "audio.transcriptions")
    assert lines["self-hosted/whisper-large-v3"].cost_usd == pytest.approx(0.6 * sent_s / 60)


def test_only_speech_is_sent_to_the_recogniser_and_once(run: Run) -> None:
    sent_s = [entry.payload["seconds"] for entry in run.asked if entry.name == "audio.transcriptions"]
    said_s = sum(said.end_ms - said.start_ms for said in run.own.of(CallerSaid)) / 1000
    assert said_s < sum(sent_s) < said_s + len(sent_s)


def test_an_open_model_that_cannot_be_cancelled_is_cut_short_for_the_caller(run: Run) -> None:
    cut, full = run.open.call.of(AgentSaid)
    assert (cut.engine, cut.interrupted) == ("realtime", True)
    assert (full.turn, full.interrupted) == (2, False)
    assert run.open.messages[1] == ("assistant", cut.text)
    assert run.open.messages[2] == ("user", HOURS_TEXT)


def test_flux_is_heard_once_and_answered_by_the_engines_decided(run: Run) -> None:
    call = run.flux.call
    assert [(said.turn, said.engine) for said in call.of(AgentSaid)] == [
        (1, "fast"),
        (2, "realtime"),
        (3, "fast"),
    ]
    assert [text for role, text in run.flux.messages if role == "user"] == [HOURS_TEXT, ORDER_TEXT, BYE_TEXT]
    assert len(call.lab.context.journal.of("deepgram.flux", "connect")) == 1
    assert call.of(ProviderFailed) == []
    assert len(call.of(HandedOff)) >= 2


def test_a_turn_that_flux_hears_is_one_segment_with_word_times(run: Run) -> None:
    assert [segment.text for segment in run.flux.segments] == [HOURS_TEXT, ORDER_TEXT, BYE_TEXT]
    for before, after in zip(run.flux.segments, run.flux.segments[1:], strict=False):
        assert after.start_ms > before.end_ms + 500  # not where the window of the turn before ended
    for segment in run.flux.segments:
        assert [word.text for word in segment.words] == segment.text.split()


def test_flux_ends_no_turn_before_the_catalogues_pause_is_over(run: Run) -> None:
    """Flux is sure half a second earlier."""
    for segment, sounded_ms in zip(run.flux.segments, run.flux.call.sounds_ms, strict=True):
        assert sounded_ms - segment.end_ms > 1000 * ENDPOINTING_S - 100


def test_an_eager_end_begins_a_reply_that_is_used(run: Run) -> None:
    settled = run.flux.call.of(PreviewSettled)
    assert settled
    assert all(preview.used for preview in settled)
