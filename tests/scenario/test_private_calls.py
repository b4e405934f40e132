"""What of a caller reaches whom: placeholders at the language model, the values at the tool and in the caller's ear."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from compliance.events import (
    AgentSaid,
    CallEnded,
    Decided,
    PartFailed,
    Refused,
    ToolCalled,
    TurnEnded,
    TurnMoved,
)
from compliance.redaction.placeholders import Placeholders
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from engines.component import Component
from engines.plugins import Endpoint, Endpoints
from engines.wording import Wording
from lab.callers import load_pcm, recorded_call
from lab.context import Listener as Ear
from lab.delays import Delays
from lab.hearing import Heard, Hearing, Listener
from lab.journal import Entry
from lab.rehearsal import planned_policy
from lab.server import Lab, LabSettings
from lab.shop import ShopProcess
from lab.standins import ToneVoices
from router import Policy
from service.aside import Aside
from service.call import Call
from service.conversation import NOT_HERE
from service.exchange import Exchange
from service.line import Line
from service.settings import Settings
from tests.patience import patient_engines, without_limits
from tests.together import make_all, understood
from tests.whole_call import WholeCall, answered, greeted, silence, without_settings

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

SCRIPT = Path(__file__).parent / "veiled.yaml"
QUIET_MS = 1500.0
"""Silence after which the agent has nothing more to say."""
CARD = "my card number is four one one one two two three four"
REST = "nine eight seven six five five zero one"
NAME, CARRIER = "my name is maria lopez", "yes that's correct"
"""The lab's ears are made to take the second, which was recorded, for the first: nobody recorded a name."""


def spoken(text: str) -> Samples:
    """How a caller says this."""
    turns = {turn.number: turn for turn in recorded_call("03").turns}
    if text == NAME:
        return load_pcm(turns[4].path)
    assert turns[2].breath_ms is not None
    begins, ends = (RATE_HZ * ms // 1000 for ms in turns[2].breath_ms)
    both = load_pcm(turns[2].path)
    return {CARD: both[:begins], REST: both[ends:]}[text]


class Ears:
    """Real recognition, in which one sentence is taken for another."""

    def __init__(self, real: Hearing) -> None:
        self._real = real
        self.finals: list[str] = []

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...

    def listen(self, *, sample_rate_hz: int, silence_s: float = 0.3) -> Ear:
        listener = self._real.listen(sample_rate_hz=sample_rate_hz, silence_s=silence_s)
        return _Renaming(listener, self.finals)

    async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> Heard:
        return await self._real.recognise(pcm, sample_rate_hz=sample_rate_hz)


class _Renaming:
    def __init__(self, real: Listener, finals: list[str]) -> None:
        self._real = real
        self._finals = finals
        self.push, self.finalize, self.aclose = real.push, real.finalize, real.aclose

    async def __aiter__(self) -> AsyncIterator[Heard]:
        async for heard in self._real:
            if heard.kind == "interim":
                yield replace(heard, words=heard.words[:0])
                continue
            self._finals += [NAME if heard.text == CARRIER else heard.text] * bool(heard.text)
            if heard.text == CARRIER:
                said, last = NAME.split(), heard.words[-1]
                times = [*heard.words, *[last] * (len(said) - len(heard.words))]
                yield replace(
                    heard, words=tuple(replace(t, text=w) for t, w in zip(times, said, strict=True))
                )
            else:
                yield heard


SECRETS = (
    "maria",
    "lopez",
    "four one one one",
    "nine eight seven",
    "41112234",
    "98765501",
    "5 5 0 1",
)


def secrets_in(text: object) -> list[str]:
    low = str(text).lower()
    return [secret for secret in SECRETS if secret in low]


NOBODY = Placeholders.none()


@dataclass(frozen=True)
class Case:
    says: tuple[str, ...]
    """In turns."""
    engine: str
    placeholders: Placeholders = NOBODY
    closed: tuple[str, ...] = ()
    """The parts of the catalogue that serve other regions only."""
    redactor_gone: bool = False


CASES = {
    "veiled": Case((NAME, CARD, REST), "tool", Placeholders(frozenset({"tool"}))),
    "strict": Case((NAME,), "realtime", Placeholders(None), redactor_gone=True),
    "closed": Case((NAME,), "tool", closed=("tool", "house")),
    "deaf": Case((), "tool", closed=("transcriber",)),
}


@dataclass(frozen=True)
class Done:
    call: WholeCall
    says: tuple[str, ...]
    heard: set[str]
    """By the lab's ears; also those of a realtime session that waits."""
    journal: list[Entry]
    refunds: list[str]

    def sent(self, provider: Any) -> list[Any]:
        return [entry.payload for entry in self.journal if entry.provider == provider]

    @property
    def prompts(self) -> list[Any]:
        return [body["messages"] for body in self.sent("openai.chat")]


def changed(ready: Exchange, case: Case) -> Exchange:
    def limited(name: str, part: Component) -> Component:
        return replace(part, callers=("us", "uk")) if name in case.closed else part

    catalogue = ready.catalogue
    catalogue = replace(
        catalogue,
        transcriber=limited("transcriber", catalogue.transcriber),
        spare_transcriber=None,
        voices={name: limited(name, voice) for name, voice in catalogue.voices.items()},
        engines={
            name: replace(engine, mind=limited(name, engine.mind))
            for name, engine in catalogue.engines.items()
        },
    )
    return replace(
        ready,
        policy=Policy.parse(planned_policy((case.engine,))),
        catalogue=catalogue,
        redaction_policy=replace(ready.redaction_policy, placeholders=case.placeholders),
        redaction=Aside(Path("/nowhere/redaction")) if case.redactor_gone else ready.redaction,
    )


async def made(ready: Exchange, real: Hearing, case: Case, folder: Path) -> Done:
    """One call on a lab and with a shop of its own."""

    async def speak(line: Line, call: Call) -> None:
        if not case.says:
            await call.ended()
            return
        await greeted(line)
        for text in case.says:
            await line.say(silence(300))
            said = await line.say(spoken(text))
            await line.agent_started(said.end_ms)
            await line.agent_finished(QUIET_MS)

    settings, ears = LabSettings(delays=Delays.none(), scenario=SCRIPT), Ears(real)
    async with (
        Lab(settings, hearing=ears, voices=ToneVoices(20.0)) as lab,
        ShopProcess(folder / "shop.sqlite") as shop,
    ):
        stand_ins = {plugin: Endpoint("lab", url, simulated=True) for plugin, url in lab.stand_ins.items()}
        parts = replace(
            changed(ready, case),
            endpoints=Endpoints({}, stand_ins),
            settings=ready.settings.model_copy(
                update={"mcp": shop.url, "redaction_closing_s": 1.0 if case.redactor_gone else 60.0}
            ),
        )
        call = await answered(parts, speak)
        journal = list(lab.context.journal.entries)
    with sqlite3.connect(folder / "shop.sqlite") as db:
        refunds = [reason for (reason,) in db.execute("SELECT reason FROM refunds")]
    return Done(call, case.says, set(ears.finals), journal, refunds)


def as_said(done: Done) -> bool:
    """Whether the caller was heard as they spoke, each thing that they say as one turn."""
    return done.heard == set(done.says) and len(done.call.of(TurnEnded)) == len(done.says)


@dataclass(frozen=True)
class AllDone:
    calls: dict[str, Done]
    logs: str
    files: str


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """All that is logged at any level, but for what LiveKit marks as personal, which the service drops."""
    told: list[str] = []

    class Everything(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept = {name: value for name, value in vars(record).items() if not name.startswith("lk.pii.")}
            told.append(f"{record.getMessage()} {kept}")

    root, handler = logging.getLogger(), Everything()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.fixture(scope="module")
def all_done(tmp_path_factory: pytest.TempPathFactory) -> AllDone:
    folder = tmp_path_factory.mktemp("line")

    async def all_of_them() -> dict[str, Done]:
        nobody = dict.fromkeys(("openai", "deepgram", "elevenlabs", "google"), "http://127.0.0.1:9")
        engines = folder / "engines.yaml"
        engines.write_text(patient_engines(), encoding="utf-8")
        settings = Settings(
            ledger=str(folder / "ledger.sqlite"),
            catalogue=engines,
            stand_ins=nobody,
            consent_voice_ai=True,
            region="eu",
        )
        ready = await asyncio.to_thread(Exchange.load, settings)
        real = Hearing(processes=2)
        await real.start()

        async def one(name: str) -> Done:
            return await understood(
                lambda: made(ready, real, CASES[name], tmp_path_factory.mktemp(name)), as_said
            )

        try:
            return await make_all(CASES, one)
        finally:
            await real.aclose()
            ready.close()

    with pytest.MonkeyPatch.context() as patch, everything_logged() as told:
        without_settings(patch)
        without_limits(patch)
        calls = asyncio.run(all_of_them())
    files = "".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())
    return AllDone(calls, "\n".join(told), files)


@pytest.fixture(scope="module")
def done(all_done: AllDone) -> dict[str, Done]:
    return all_done.calls


# -- placeholders ---------------------------------------------------------------------------------------------
def test_the_language_model_sees_placeholders_and_no_value(done: dict[str, Done]) -> None:
    prompts = done["veiled"].prompts
    assert secrets_in(prompts) == []
    said = [message["content"] for message in prompts[-1] if message["role"] == "user"]
    assert said == ["my name is [NAME_1]", "my card number is [CARD_1]", "[CARD_2]"]


def test_the_tool_has_the_values_as_they_are_written(done: dict[str, Done]) -> None:
    assert "to card 4111223498765501 of maria lopez" in done["veiled"].refunds


def test_what_the_tool_returns_is_hidden_too(done: dict[str, Done]) -> None:
    [result] = [message["content"] for message in done["veiled"].prompts[-1] if message["role"] == "tool"]
    assert "RF8053162" not in result
    assert "washing machine" in result


def test_the_caller_hears_the_name_and_the_real_last_digits(done: dict[str, Done]) -> None:
    spoken = "".join(said.get("text", "") for said in done["veiled"].sent("elevenlabs"))
    assert "Thank you, maria lopez. " in spoken
    assert "Done, maria lopez. The money goes to the card ending in 5 5 0 1. " in spoken


def test_the_record_has_neither(done: dict[str, Done]) -> None:
    call = done["veiled"].call
    assert secrets_in(call.events) == []
    last = call.of(AgentSaid)[-1].text
    assert last.startswith("Done, <PERSON>. The money goes to the card ending in <CREDIT_CARD>.")
    [used] = call.of(ToolCalled)
    assert used.arguments["reason"] == "to card <CREDIT_CARD> of <PERSON>"


def test_a_placeholder_that_the_model_made_up_is_told(done: dict[str, Done]) -> None:
    [failed] = [failed for failed in done["veiled"].call.of(PartFailed) if failed.part == "placeholders"]
    assert (failed.error, failed.action) == (
        "UnknownPlaceholder",
        "1 placeholder(s) that a model made up stood for nothing",
    )


def test_no_log_and_no_file_of_the_line_has_a_value(all_done: AllDone) -> None:
    assert secrets_in(all_done.logs) == []
    assert secrets_in(all_done.files) == []


def test_while_values_cannot_be_found_the_model_is_shown_none_of_the_words(done: dict[str, Done]) -> None:
    gone = done["strict"]
    assert [message["content"] for message in gone.prompts[-1] if message["role"] == "user"] == ["[WITHHELD]"]
    assert secrets_in(gone.prompts) == []
    assert "placeholders" in [failed.part for failed in gone.call.of(PartFailed)]
    assert [said.turn for said in gone.call.of(AgentSaid)] == [0, 1]


def test_where_all_engines_must_see_placeholders_none_hears_the_caller(done: dict[str, Done]) -> None:
    strict = done["strict"]
    assert strict.sent("openai.realtime") == []  # not even a session that waits
    assert [(told.turn, told.used_by, told.provider) for told in strict.call.of(Refused)] == [
        (1, "realtime", "openai")
    ]
    assert [said.engine for said in strict.call.of(AgentSaid) if said.turn == 1] == ["standard"]


# -- gates ----------------------------------------------------------------------------------------------------
def test_an_engine_that_the_policy_lets_through_gets_no_byte_of_a_caller_it_may_not_serve(
    done: dict[str, Done],
) -> None:
    closed = done["closed"]
    assert [decided.engine for decided in closed.call.of(Decided)] == ["tool"]  # the policy has no guard
    assert {body["model"] for body in closed.sent("openai.chat")} == {"gpt-4.1-mini"}
    [told] = [told for told in closed.call.of(Refused) if told.used_by == "tool"]
    assert (told.turn, told.used_by, told.because) == (
        1,
        "tool",
        "it serves callers of us, uk, and this one is of eu",
    )
    [moved] = closed.call.of(TurnMoved)
    assert (moved.from_engine, moved.to_engine) == ("tool", "standard")
    assert [said.engine for said in closed.call.of(AgentSaid) if said.turn == 1] == ["standard"]


def test_a_voice_that_may_not_speak_is_stood_in_for_by_the_next(done: dict[str, Done]) -> None:
    closed = done["closed"]
    assert closed.sent("elevenlabs") == []
    assert len(closed.sent("openai.speech")) >= 2  # the greeting and the reply
    assert ("voice", "elevenlabs") in [(told.used_by, told.provider) for told in closed.call.of(Refused)]


def test_a_call_whose_transcriber_may_not_hear_the_caller_ends_with_a_word(done: dict[str, Done]) -> None:
    closed = done["deaf"]
    assert closed.sent("deepgram") == []
    assert [said.text for said in closed.call.of(AgentSaid)] == [Wording().not_here]
    assert [ended.reason for ended in closed.call.of(CallEnded)] == [NOT_HERE]
    assert [told.used_by for told in closed.call.of(Refused)] == ["transcriber"]
