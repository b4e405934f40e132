"""Records of invented calls, complete down to the bill, for everything that reads a record.

:func:`furious_call` has one of everything: hand-offs, a used and a discarded preview, tools, a barge-in, a
provider that hangs, late events, masked entities. The people, cards and orders in it do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    HumanSaid,
    LateEventDropped,
    PreviewSettled,
    ProviderFailed,
    SpeechHeard,
    ToolCalled,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
    UsageIncurred,
)

POLICY_HASH = "3f9a1c77d2b04e5c8a61f0b2c9d4e7a85b6c3d2e1f0a9b8c7d6e5f4a3b2c1d0e"
SAMPLE_RATE_HZ = 16_000


@dataclass
class CallBuilder:
    """Plays a call turn by turn on its own clock, and keeps the record that the service would keep."""

    call_id: str
    source: str
    simulated: tuple[str, ...] = ("deepgram", "elevenlabs", "openai")
    tenant: str = ""
    events: list[Event] = field(default_factory=list)
    now_ms: float = 0
    turns: int = 0
    generation: int = 0
    engine: str = "fast"
    cost_usd: float = 0

    def start(self, greeting: str) -> None:
        self.events.append(
            CallStarted(
                call_id=self.call_id,
                at_ms=0,
                started_at="2026-11-16T09:30:00+00:00",
                source=self.source,
                policy="default",
                policy_hash=POLICY_HASH,
                policy_version=3,
                tenant=self.tenant,
                simulated=self.simulated,
            )
        )
        self.now_ms = 350
        self.say(0, greeting)

    def say(self, turn: int, text: str, *, engine: str = "", cut_ms: float = 0) -> None:
        """The agent speaks; ``cut_ms`` > 0 is how long it gets to speak before the caller cuts it."""
        self.generation += 1
        start_ms = self.now_ms
        self.now_ms += cut_ms or 900 + 52.0 * len(text)
        at = {"call_id": self.call_id, "at_ms": self.now_ms}
        self.events.append(SpeechHeard(**at, speaker="agent", start_ms=start_ms, end_ms=self.now_ms))
        self.events.append(
            AgentSaid(
                **at,
                turn=turn,
                engine=engine or self.engine,
                generation=self.generation,
                start_ms=start_ms,
                end_ms=self.now_ms,
                text=text,
                interrupted=cut_ms > 0,
            )
        )

    def turn(
        self,
        text: str,
        reply: str,
        *,
        engine: str,
        rule: str,
        reason: str,
        emotion: tuple[str, float, float] = ("calm", 0.9, 0.1),
        waits: dict[str, float],
        tools: Sequence[tuple[str, object, object, float]] = (),
        preview: bool | None = None,
        barge: bool = False,
        cut_ms: float = 0,
        fails_over_to: str = "",
        gap_ms: float = 600,
        cost: Sequence[tuple[str, str, dict[str, float], float]] = (),
        arms: dict[str, str] | None = None,
        shadow: str = "",
        endpointing_ms: int | None = None,
    ) -> None:
        """One caller utterance and its reply. ``barge``: the caller begins over the agent's last words."""
        self.turns += 1
        turn = self.turns
        start_ms = self.now_ms - 300 if barge else self.now_ms + gap_ms
        end_ms = start_ms + 600 + 65.0 * len(text)
        call = {"call_id": self.call_id}
        self.events += [
            SpeechHeard(**call, at_ms=end_ms, speaker="caller", start_ms=start_ms, end_ms=end_ms),
            CallerSaid(
                **call,
                at_ms=end_ms + 150,
                start_ms=start_ms,
                end_ms=end_ms,
                text=text,
                confidence=0.93,
                while_agent_spoke=barge,
            ),
            TurnEnded(**call, at_ms=end_ms + 300, turn=turn, start_ms=start_ms, end_ms=end_ms),
            Decided(
                **call,
                at_ms=end_ms + 300.4,
                turn=turn,
                engine=engine,
                rule=rule,
                reason=reason,
                policy_hash=POLICY_HASH,
                signals={
                    "turn.count": turn,
                    "text.length": len(text),
                    "emotion.label": emotion[0],
                    "emotion.upset": emotion[2],
                    "emotion.confidence": emotion[1],
                    "needs_tools": bool(tools),
                },
                tried=(("guard: spend", "passed"), ("wants a person", "no match"), (rule, "matched")),
                denied={"realtime": "guard: spend"} if turn == 1 else {},
                took_us=41.5,
                policy_version=3,
                arms=arms or {},
                shadow={"try-lower": shadow or engine},
                evidence=("raised voice in 3 of 4 windows",) if emotion[2] > 0.5 else (),
                endpointing_ms=endpointing_ms,
            ),
        ]
        if preview is not None:
            used_by = engine if preview else self.engine
            self.events.append(
                PreviewSettled(**call, at_ms=end_ms + 301, turn=turn, engine=used_by, used=preview)
            )
        if engine != self.engine:
            self._hand_off(turn, engine, end_ms + 304.2)
        heard_ms = sum(waits.values())
        for name, arguments, result, took_ms in tools:
            self.events.append(
                ToolCalled(
                    **call,
                    at_ms=end_ms + 420 + took_ms,
                    turn=turn,
                    engine=engine,
                    name=name,
                    arguments=arguments,
                    result=result,
                    failed=False,
                    took_ms=took_ms,
                )
            )
        if fails_over_to:
            failed_at_ms = end_ms + 1_300
            self.events.append(
                ProviderFailed(
                    **call,
                    at_ms=failed_at_ms,
                    turn=turn,
                    engine=engine,
                    provider="openai",
                    error="APITimeoutError",
                    action=f"apologised, moved to {fails_over_to}",
                )
            )
            self.events.append(
                TurnMoved(**call, at_ms=failed_at_ms, turn=turn, from_engine=engine, to_engine=fails_over_to)
            )
            self._hand_off(turn, fails_over_to, failed_at_ms + 6)
            self.events.append(
                LateEventDropped(
                    **call,
                    at_ms=failed_at_ms + 90,
                    generation=self.generation,
                    engine=engine,
                    what="audio",
                    count=7,
                )
            )
        self.now_ms = end_ms + heard_ms
        self.events.append(
            TurnAnswered(
                **call,
                at_ms=self.now_ms,
                turn=turn,
                engine=fails_over_to or engine,
                heard_ms=heard_ms,
                waits=waits,
            )
        )
        self.say(turn, reply, cut_ms=cut_ms)
        for provider, model, quantities, cost_usd in cost:
            self.cost_usd += cost_usd
            self.events.append(
                UsageIncurred(
                    **call,
                    at_ms=self.now_ms,
                    turn=turn,
                    engine=self.engine,
                    provider=provider,
                    model=model,
                    quantities=quantities,
                    cost_usd=cost_usd,
                )
            )

    def _hand_off(self, turn: int, engine: str, at_ms: float) -> None:
        warm = engine == "realtime"
        self.events.append(
            HandedOff(
                call_id=self.call_id,
                at_ms=at_ms,
                turn=turn,
                from_engine=self.engine,
                to_engine=engine,
                warm=warm,
                turn_as_audio=warm,
                items=2 * turn - 1,
                took_ms=3.8 if warm else 6.1,
            )
        )
        self.engine = engine

    def end(self, reason: str = "caller hung up") -> tuple[Event, ...]:
        self.now_ms += 700
        self.events.append(
            CallEnded(
                call_id=self.call_id,
                at_ms=self.now_ms,
                reason=reason,
                turns=self.turns,
                cost_usd=self.cost_usd,
            )
        )
        return tuple(sorted(self.events, key=lambda event: event.at_ms))


def cascade_cost(
    seconds: float, tokens: int, characters: int
) -> list[tuple[str, str, dict[str, float], float]]:
    """What a cascade turn costs by the published price list."""
    return [
        ("deepgram", "nova-3", {"audio_minutes": seconds / 60}, seconds / 60 * 0.0077),
        (
            "openai",
            "gpt-4.1-mini",
            {"input_text_tokens": tokens, "cached_text_tokens": tokens // 2, "output_text_tokens": 60},
            tokens * 0.4e-6,
        ),
        ("elevenlabs", "eleven_flash_v2_5", {"characters": characters}, characters * 50e-6),
    ]


def realtime_cost(seconds: float) -> list[tuple[str, str, dict[str, float], float]]:
    return [
        (
            "openai",
            "gpt-realtime",
            {"input_audio_tokens": seconds * 10, "output_audio_tokens": seconds * 20},
            seconds * (10 * 32e-6 + 20 * 64e-6),
        )
    ]


def cascade_waits(*, hand_off: float = 0, thinking: float = 152.0) -> dict[str, float]:
    """What a turn answered by a cascade is spent on, in the order of a turn."""
    before = {"transcription": 104.0, "endpointing": 196.0, "decision": 0.4}
    handed = {"hand_off": hand_off} if hand_off else {}
    return before | handed | {"thinking": thinking, "voice": 98.0, "playout": 41.0}


REALTIME = {"endpointing": 300.0, "decision": 0.4, "hand_off": 3.8, "voice": 251.0, "playout": 40.2}


def furious_call(
    call_id: str = "call-0004", source: str = "lab:04_calm_becomes_furious"
) -> tuple[Event, ...]:
    """Seven turns, calm to furious and back, with one of everything that can happen."""
    call = CallBuilder(call_id, source, tenant="acme")
    call.start("Thank you for calling Northwind Kitchen. How can I help?")
    call.turn(
        "hi what are your opening hours on saturday",
        "We are open from nine to six on Saturday.",
        engine="fast",
        rule="opening",
        reason="turn 1 of the call is short and calm",
        waits=cascade_waits(thinking=96.0),
        preview=True,
        cost=cascade_cost(3.4, 310, 41),
    )
    call.turn(
        "and where is my order it's number four four one seven nine two",
        "Your stand mixer left our warehouse on Monday and should arrive tomorrow.",
        engine="tool",
        rule="needs tools",
        reason="the caller asks about an order (tool need 0.94)",
        waits=cascade_waits(hand_off=6.1, thinking=364.0),
        arms={"earlier-tools": "tool"},
        endpointing_ms=1_200,
        tools=[
            (
                "look_up_order",
                {"order": "441792"},
                {"item": "stand mixer", "state": "shipped", "to": "<PERSON>, <ADDRESS>"},
                212.0,
            )
        ],
        preview=False,
        cost=cascade_cost(4.0, 640, 73),
    )
    call.turn(
        "my name is <PERSON> and the card ends in <CREDIT_CARD> has it been charged twice",
        "I can see two charges on that card. One of them is only a reservation and will disappear in a few days.",
        engine="standard",
        rule="otherwise",
        reason="no other rule matched",
        shadow="tool",
        emotion=("uneasy", 0.61, 0.42),
        waits=cascade_waits(hand_off=6.1),
        cost=cascade_cost(5.8, 820, 104),
    )
    call.turn(
        "a few days that's what you told me last week and the week before this is ridiculous",
        "I am so sorry, that must be very frustrating. Let me explain how a reservation",
        engine="realtime",
        rule="upset caller",
        reason="upset 0.83 ≥ 0.70 with confidence 0.88",
        emotion=("angry", 0.88, 0.83),
        waits=REALTIME,
        cut_ms=4_300,
        cost=realtime_cost(11),
    )
    call.turn(
        "no no listen to me i don't want an explanation i want my money back",
        "I am sorry, I lost my words for a moment. You want the second charge refunded, and you are right to.",
        engine="realtime",
        rule="upset caller",
        reason="upset 0.96 ≥ 0.70 with confidence 0.93",
        emotion=("furious", 0.93, 0.96),
        waits={
            "endpointing": 300.0,
            "decision": 0.4,
            "hand_off": 1_006.0,
            "thinking": 148.0,
            "voice": 101.0,
            "playout": 20.0,
        },
        barge=True,
        fails_over_to="standard",
        cost=realtime_cost(3) + cascade_cost(5.0, 980, 101),
    )
    call.turn(
        "then refund it and write to <EMAIL_ADDRESS> when it is done",
        "Done: the second charge is refunded, and a confirmation is on its way to you.",
        engine="tool",
        rule="needs tools",
        reason="the caller asks for a refund (tool need 0.97)",
        emotion=("annoyed", 0.74, 0.55),
        waits=cascade_waits(hand_off=6.0, thinking=698.0),
        tools=[
            ("look_up_charges", {"card": "<CREDIT_CARD>"}, {"charges": 2, "doubled": True}, 121.0),
            ("refund", {"charge": 2, "email": "<EMAIL_ADDRESS>"}, {"refunded_usd": 349.0}, 267.0),
        ],
        cost=cascade_cost(4.4, 1_240, 78),
    )
    call.turn(
        "all right thank you goodbye",
        "Thank you for your patience. Goodbye!",
        engine="fast",
        rule="closing",
        reason="the caller says goodbye",
        emotion=("calm", 0.71, 0.22),
        waits=cascade_waits(hand_off=5.9, thinking=90.0),
        preview=False,
        cost=cascade_cost(2.4, 420, 37),
    )
    return call.end()


def quick_call(call_id: str = "call-0001", source: str = "lab:01_quick_question") -> tuple[Event, ...]:
    """Two calm turns on one engine."""
    call = CallBuilder(call_id, source)
    call.start("Thank you for calling Northwind Kitchen. How can I help?")
    for text, reply in (
        ("hi what are your opening hours on saturday", "We are open from nine to six on Saturday."),
        ("great thank you that is all i needed", "You are welcome. Goodbye!"),
    ):
        call.turn(
            text,
            reply,
            engine="fast",
            rule="opening",
            reason="short and calm",
            waits=cascade_waits(),
            preview=True,
            cost=cascade_cost(3.0, 300, len(reply)),
        )
    return call.end()


def call_with_a_person(
    call_id: str = "call-0008", source: str = "lab:08_asks_for_human"
) -> tuple[Event, ...]:
    """A quick call that ends with somebody called Anna: she asks for a card, is told it, and leaves."""
    call = CallBuilder(call_id, source)
    call.start("Thank you for calling Northwind Kitchen. How can I help?")
    call.turn(
        "i want to talk to a real person",
        "One moment, please. I am getting a colleague for you.",
        engine="human",
        rule="asked-for-a-person",
        reason="the caller asked for a person",
        waits=cascade_waits(),
    )
    who: dict[str, Any] = {"call_id": call_id, "turn": call.turns, "engine": "human"}
    call.events.append(TransferAsked(**who, at_ms=call.now_ms, cause="policy", reason=""))
    call.now_ms += 4_000
    began_ms = call.now_ms
    call.events.append(
        TransferAnswered(**who, at_ms=began_ms, way="warm", to="room:anna", person="anna", waited_ms=4_000)
    )
    for speaker, text in (
        ("anna", "hello what is the number of your card"),
        ("caller", "it is <CREDIT_CARD>"),
        ("anna", "thank you that is paid"),
    ):
        said: dict[str, Any] = {"start_ms": call.now_ms + 300, "end_ms": call.now_ms + 2_300, "text": text}
        call.now_ms += 2_600
        if speaker == "caller":
            call.events.append(CallerSaid(call_id=call_id, at_ms=call.now_ms, confidence=0.9, **said))
        else:
            call.events.append(HumanSaid(**who, at_ms=call.now_ms, person=speaker, confidence=0.9, **said))
    call.now_ms += 500
    call.events.append(
        TransferEnded(
            **who,
            at_ms=call.now_ms,
            person="anna",
            by="person",
            duration_ms=call.now_ms - began_ms,
            spoke_ms=4_000,
        )
    )
    return call.end()


def audio_of(events: Sequence[Event], speaker: str) -> NDArray[np.int16]:
    """Something that looks like the speech of one side: noise in syllables wherever the record has speech."""
    spans = [event for event in events if isinstance(event, SpeechHeard) and event.speaker == speaker]
    length = int(max(event.at_ms for event in events) * SAMPLE_RATE_HZ / 1000) + SAMPLE_RATE_HZ
    random = np.random.default_rng(7 if speaker == "caller" else 8)
    audio = random.normal(0, 40, length)
    for span in spans:
        start, end = (int(ms * SAMPLE_RATE_HZ / 1000) for ms in (span.start_ms, span.end_ms))
        seconds = np.arange(end - start) / SAMPLE_RATE_HZ
        syllables = np.abs(np.sin(np.pi * 2.3 * seconds)) * (0.6 + 0.4 * np.sin(np.pi * 0.7 * seconds + 1))
        audio[start:end] += random.normal(0, 5_200, end - start) * syllables
    return np.clip(audio, -32_768, 32_767).astype(np.int16)
