"""A call on a lab of its own in virtual time, whose every sound says who made it.

Sessions, plugins, sockets and simulators are the real ones. What is said to the lab's ears is known beforehand, and
every engine's voice hums at a pitch of its own, so that what the caller heard tells which engine it came from.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from compliance.events import AgentSaid
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from engines.catalogue import Catalogue
from engines.desk import SILENCE_LIMIT_S
from engines.routing import CallerTurn, Route
from engines.tools import ToolHooks, ToolReport
from lab.delays import Delays
from lab.known_speech import KnownSpeech, excerpts
from lab.script import Reply, Request, Rule, Script
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices
from service.line import Said
from tests.conformance.engines.somebody import Somebody
from tests.conformance.engines.table import BY_NAME, HUMAN, Engine
from tests.conformance.engines.tool_server import tools_of_the_suite
from tests.desk_call import DeskCall, Plan, recording, silence
from tests.virtual_time import call_clock

QUESTIONS = tuple(f"question {number}" for number in ("one", "two", "three", "four"))
WORDLESS = ""
TEXTS = (
    *QUESTIONS,
    "look up mine",
    "look up both",
    "try it",
    "wait for it",
    "take your time",
    "tell me all",
    "a person please",
    WORDLESS,
)
SPEECH = excerpts(
    np.concatenate([recording("10_long_complaint_t01"), recording("10_long_complaint_t03")]),
    TEXTS,
    seconds=0.9,
)
DELAYS = Delays.parse("stt=60,llm_ttft=100,tts_ttfb=50,realtime=150,network=5")
CHARACTER_MS = 20.0
FIRST_REPLY_S = 4.0
"""As it is with the shipped policy, of whose budget it is one half."""
HOST = "host"
"""A cascade that is in every call, as a catalogue demands one, and answers nothing unless everybody else fails."""
SPARE = "spare"
"""The voice after an engine's own, where there is one: of another provider, as in the shipped catalogue."""
PITCHES_HZ = {name: 400.0 + 100 * number for number, name in enumerate((HOST, HUMAN, SPARE, *BY_NAME))}
_CATALOGUE = """
version: 1
greeting: Hello.
instructions: You are the assistant of the conformance suite.
transcriber: {transcriber}
voices:
{voices}
engines:
{engines}
"""
_HUMAN = "{kind: human, transfer: callback}"
_HOST = Engine(
    HOST,
    f"{{kind: cascade, model: {{plugin: openai, model: host}}, voices: [{HOST}], tools: true}}",
    provider="openai.chat",
    path="/v1/chat",
)
_SPARE = f"{{plugin: openai, model: tts-1, options: {{voice: {SPARE}}}}}"
_HEARD_MS = 20.0


def catalogue(names: Sequence[str], lab: Lab, *, spare: bool = False) -> Catalogue:
    """A catalogue of these engines, after the host; each with the ears and the voice that the first of them has."""
    machines = [_HOST, *(BY_NAME[name] for name in names if name in BY_NAME)]
    first = machines[-1] if len(machines) == 1 else machines[1]
    entries = {engine.name: engine.entry for engine in machines}
    voices = {name: first.voice.replace("NAME", name) for name in entries} | {SPARE: _SPARE}
    if spare:
        entries = {name: entry.replace(f"[{name}]", f"[{name}, {SPARE}]") for name, entry in entries.items()}
    if HUMAN in names:
        entries[HUMAN] = _HUMAN
    text = _CATALOGUE.format(
        transcriber=first.transcriber,
        voices="\n".join(f"  {name}: {voice}" for name, voice in voices.items()),
        engines="\n".join(f"  {name}: {entry}" for name, entry in entries.items()),
    )
    return Catalogue.parse(text.replace("LAB", lab.url))


@dataclass
class Upset(Plan):
    """A plan for a caller who sounds upset all the time, from the first word on."""

    def preview(self, text: str) -> Route:
        return replace(super().preview(text), manner="upset")

    def decide(self, turn: CallerTurn) -> Route:
        return replace(super().decide(turn), manner="upset")


class Listening(Script):
    """The script, which keeps what it was asked."""

    __slots__ = ("asked",)

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__(tuple(rules))
        object.__setattr__(self, "asked", [])

    asked: list[Request]

    def decide(self, request: Request) -> tuple[str, Reply]:
        self.asked.append(request)
        return super().decide(request)


@dataclass
class Staged:
    """A call, the lab it is on, and what can be asked of both.

    Attributes:
        call: the call at the desk.
        lab: of this call alone.
        ears: of the lab; they keep what each recogniser and realtime engine was sent.
        asked: what the model behind every reply was given, whichever protocol carried it.
        tools: what the tools were used for.
        tools_begun: how many uses of tools have begun.
        on_tool: called when one has ended.
        tapped: the caller's audio as the tap had it.
        somebody: who can be fetched, where there are people.
    """

    call: DeskCall
    lab: Lab
    ears: KnownSpeech
    asked: list[Request]
    tools: list[ToolReport] = field(default_factory=list)
    tools_begun: int = 0
    on_tool: Callable[[], None] = lambda: None
    tapped: list[Samples] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.somebody = Somebody(self.call.desk.people, self.call.tap, self.call.ear, PITCHES_HZ[HUMAN])

    # -- what the caller does -----------------------------------------------------------------------------
    async def says(self, text: str) -> Said:
        """Say something, after a breath."""
        await self.call.line.say(silence(200))
        return await self.call.line.say(SPEECH[text].samples)

    async def asks(self, text: str) -> Said:
        """Say something and hear the reply to its end."""
        said = await self.says(text)
        await self.call.answered(said)
        await self.call.heard_out()
        return said

    async def interrupts(self, text: str) -> Said:
        """Say something at once."""
        return await self.call.line.say(SPEECH[text].samples)

    def cut_off(self, engine: str) -> None:
        """Break the connections of an engine."""
        self.lab.cut(BY_NAME[engine].path)

    # -- what came of it ----------------------------------------------------------------------------------
    @property
    def replies(self) -> list[tuple[int, str, str, bool]]:
        """Turn, engine, text and whether it was cut off, of everything the agent said."""
        return [(one.turn, one.engine, one.text, one.interrupted) for one in self.call.of(AgentSaid)]

    @property
    def said_to_model(self) -> list[tuple[str, str]]:
        """Role and text of the conversation that the model was given for the last reply."""
        messages = self.asked[-1].messages
        return [(one.role, one.text) for one in messages if one.role in ("user", "assistant")]

    def heard_ms(self, since_ms: float, until_ms: float = float("inf")) -> dict[str, float]:
        """Whom the caller heard in that time, and for how long."""
        _, agent = self.call.line.recording()
        size = int(RATE_HZ * _HEARD_MS / 1000)
        first, last = int(since_ms * RATE_HZ / 1000), int(min(until_ms * RATE_HZ / 1000, len(agent)))
        heard: dict[str, float] = {}
        for at in range(first, last - size, size):
            if (who := whose(agent[at : at + size])) is not None:
                heard[who] = heard.get(who, 0.0) + _HEARD_MS
        return heard

    def lost_ms(self, text: str, *, last: bool = False) -> float:
        """How much of an utterance is in no turn that a realtime engine was sent, or not in the last one.

        20 ms are the least that is seen; of audio that was resampled on the way, it is all or nothing.
        """
        said, size = SPEECH[text].samples, RATE_HZ // 50
        pieces = [said[at : at + size].tobytes() for at in range(0, len(said) - size + 1, size)]
        lost = [20.0 * len(pieces)]
        for ear in self.ears.listeners[1:]:  # the first one is the call's recogniser
            for turn in ear.turns[-1:] if last else ear.turns:
                heard = turn.tobytes()
                if said.tobytes() in heard or (
                    ear.rate_hz != RATE_HZ and text in self.ears.said_in(turn, ear.rate_hz)
                ):
                    return 0.0
                lost.append(20.0 * sum(piece not in heard for piece in pieces))
        return min(lost)

    def tool_began(self) -> None:
        self.tools_begun += 1
        self.call.desk.tool_began()

    def tool_done(self, report: ToolReport) -> None:
        self.tools.append(report)
        self.on_tool()
        self.call.desk.tool_done()

    @property
    def lost_at_the_tap(self) -> int:
        """Samples that the caller sent and the tap did not have, or had otherwise."""
        caller, _ = self.call.line.recording()
        tapped = np.concatenate(self.tapped) if self.tapped else np.zeros(0, np.int16)
        whole = min(len(caller), len(tapped))
        return int(np.count_nonzero(caller[:whole] != tapped[:whole])) + max(
            0, len(caller) - whole - RATE_HZ // 50
        )


def whose(samples: Samples) -> str | None:
    """The engine whose pitch is heard throughout; ``None`` where there is any silence."""
    if np.abs(samples.astype(np.int32)).reshape(4, -1).mean(axis=1).min() < 1000:
        return None
    padded = np.zeros(RATE_HZ // 10)
    padded[: len(samples)] = samples * np.hanning(len(samples))
    pitch_hz = float(np.abs(np.fft.rfft(padded)).argmax()) * 10
    return min(PITCHES_HZ, key=lambda name: abs(PITCHES_HZ[name] - pitch_hz))


@asynccontextmanager
async def staged(
    plan: Sequence[str],
    *,
    beside: Sequence[str] = (),
    with_tools: bool = False,
    with_spare: bool = False,
    session_limit_s: float = np.inf,
) -> AsyncIterator[Staged]:
    """A call whose turns are answered by the engines of ``plan``.

    Args:
        plan: an engine a turn; the last one answers every further turn.
        beside: more engines of the call, which take over in this order when one fails.
        with_tools: connect the suite's tool server.
        with_spare: give every voice one of another provider that speaks when it fails.
        session_limit_s: at which the lab's realtime providers end a session.
    """
    names = tuple(dict.fromkeys((*plan, *beside)))
    ears = KnownSpeech(tuple(SPEECH.values()))
    voices = ToneVoices(CHARACTER_MS, PITCHES_HZ)
    settings = LabSettings(
        delays=DELAYS, scenario=Path(__file__).with_name("script.yaml"), session_limit_s=session_limit_s
    )
    hooks = ToolHooks()
    async with (
        Lab(settings, hearing=ears, voices=voices) as lab,
        tools_of_the_suite(hooks, wanted=with_tools) as tools,
    ):
        lab.context.script = script = Listening(lab.context.script.rules)
        call = DeskCall(
            lab,
            Upset(plan, order=(*beside, HOST)),
            name="staged",
            tools=tools,
            change=lambda _: catalogue([name for name in names if name != HOST], lab, spare=with_spare),
            silence_limit_s=SILENCE_LIMIT_S,
            endpointing_s=0.3,
            first_reply_s=FIRST_REPLY_S,
            clock=call_clock(),
        )
        async with call:
            stage = Staged(call, lab, ears, script.asked)
            hooks.began, hooks.done = stage.tool_began, stage.tool_done
            call.tap.sinks.append(lambda _, frame: stage.tapped.append(np.frombuffer(frame.data, np.int16)))
            await call.in_step()
            yield stage
