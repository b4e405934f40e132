"""The engines of the conformance suite. To add one, add an entry."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from lab.faults import Kind, Provider

CELL = "cell"
"""The property by which a test says which cell of the table it is."""
CASES = {
    "reply": "a turn is answered once, by the engine decided, and stands in the history",
    "tool": "a tool is called, and the reply holds what it returned",
    "parallel tools": "two tools asked for at once both run, and one reply holds both results",
    "tool error": "a tool that refuses leads to a reply that says so",
    "tool time-out": "a tool that does not return is given up, and the caller is told; of the wait, meanwhile",
    "slow tool": "a tool takes six seconds and the first voice says nothing: the caller hears that they are not"
    " forgotten, and the answer; by voices as in the shipped catalogue, where the engine has one of ours",
    "barge-in": "a reply that the caller cuts off ends, and what was not heard leaves every history; the provider's"
    " own conversation too, where its server can truncate one",
    "empty transcript": "a sound without words is no turn, and the next turn has no trace of it",
    "noise in a turn": "a sound without words that cuts a reply is no turn either: the reply is given to its end",
    "long silence": "nothing is said into a quarter of a minute of silence, and the turn after it is answered",
    "100 turns": "the turn after a hundred others is answered with all of them in the context",
    "lost between turns": "connections that break between two turns are not noticed in the next",
    "lost in a turn": "connections that break in a reply: the caller hears an answer to its end, and the next turn",
    "stalled in a turn": "a provider that sends nothing more in mid-reply: the caller hears an answer to its end, and"
    " the next turn; from the same engine, where its server can delete what was cut",
    "lost after a tool": "what a tool returned is told by the next engine when the first fails to; the tool ran once",
    "session limit": "the vendor ends the session: the next turn is answered with the whole context",
}
TRIGGERS = {
    "policy": "the policy decides so when the turn ends",
    "tool": "the caller goes on while a tool of the engine that is left still runs; a person is fetched by a tool",
    "failure": "the provider of the engine that is left fails, in the way that the cell names, and the next one takes"
    " the turn over, a realtime one within 0.3 s of the word about the delay; of a person: nobody comes",
    "human request": "the caller cuts in on the reply of the engine that is left, and asks for a person",
    "given back": "who has the call for good leaves it: a person hangs up, a guard closes a full-duplex engine; to a"
    " person where the guards leave no cascade",
}


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine under test.

    Attributes:
        name: in the table, in the catalogue, and of its voice in the lab.
        entry: of the catalogue, as YAML in flow style; ``LAB`` in it stands for the lab's URL.
        provider: of the lab, which fails for the engine to fail.
        path: of the lab under which the engine's connections are.
        hears: whether it is sent the turn that it is asked about as audio, and not only in words.
        keeps: whether it keeps a call that it was given, and takes turns by itself.
        truncates: whether the provider's own conversation can be cut to what was heard, and what it holds deleted.
        transcriber: what hears its calls, likewise of the catalogue.
        voice: what speaks for it and for the service, where anything of ours does; ``NAME`` in it stands for ``name``.
        voice_provider: of the lab.
        without: cases that do not apply to it, and why.
        meets: the only engines that it is in pairs with; ``None``: all that do not say otherwise.
        alike: why it is in no more pairs than that.
    """

    name: str
    entry: str
    provider: Provider
    path: str
    hears: bool = False
    keeps: bool = False
    truncates: bool = True
    transcriber: str = "{plugin: deepgram, model: nova-3, options: {language: en-US}}"
    voice: str = "{plugin: elevenlabs, model: m, options: {voice_id: NAME}}"
    voice_provider: Provider = "elevenlabs"
    without: Mapping[str, str] = field(default_factory=dict)
    meets: Collection[str] | None = None
    alike: str = ""


OMITTED = {
    "`groq`, `cerebras`": "presets: the code is the cascade's at another address, and the lab has one address for"
    " both; that the addresses and keys are those of the presets is in `tests/unit/engines/test_catalogue.py`",
    "a cascade on Gemini (`plugin: google`)": "the lab does not play `generateContent`; what is sent where is in"
    " `tests/conformance/test_google_addresses.py`, and no call was ever made with it",
}
"""What a catalogue can name and the suite does not call, and why."""
NO_SESSION = {"session limit": "every reply is a request of its own: no session has a limit"}
ENGINES: tuple[Engine, ...] = (
    Engine(
        "cascade",
        "{kind: cascade, model: {plugin: openai, model: gpt-4.1-mini}, voices: [cascade], tools: true}",
        provider="openai.chat",
        path="/v1/chat",
        without=NO_SESSION,
    ),
    Engine(
        "audio_aware",
        "{kind: cascade, model: {plugin: openai, model: gpt-4.1}, voices: [audio_aware], tools: true,"
        " audio_aware: true}",
        provider="openai.chat",
        path="/v1/chat",
        without=NO_SESSION,
    ),
    Engine(
        "realtime",
        "{kind: realtime, model: {plugin: openai, model: gpt-realtime, options: {voice: realtime}}, tools: true}",
        provider="openai.realtime",
        path="/v1/realtime",
        hears=True,
    ),
    Engine(
        "half_cascade",
        "{kind: half_cascade, model: {plugin: openai, model: gpt-realtime}, voices: [half_cascade], tools: true}",
        provider="openai.realtime",
        path="/v1/realtime",
        hears=True,
    ),
    Engine(
        "gemini",
        "{kind: realtime, model: {plugin: google, model: gemini-live-2.5-flash, options: {voice: gemini}},"
        " tools: true}",
        provider="google.live",
        path="/ws",
        hears=True,
    ),
    Engine(
        "open_realtime",
        "{kind: realtime, model: {plugin: openai, model: ultravox, base_url: LAB/plain/v1, keyless: true,"
        " options: {voice: open_realtime}}, tools: true}",
        provider="openai.realtime",
        path="/plain/v1/realtime",
        hears=True,
        truncates=False,
        meets=("cascade", "realtime"),
        alike="it is `realtime` at an address, less what its server lacks: what that changes in a hand-off shows in"
        " those to and from a cascade and a realtime engine",
    ),
    Engine(
        "own_transcript",
        "{kind: realtime, model: {plugin: openai, model: gpt-realtime, options: {voice: own_transcript,"
        " own_transcript: gpt-4o-mini-transcribe}}, tools: true}",
        provider="openai.realtime",
        path="/v1/realtime",
        hears=True,
        meets=(),
        alike="it is `realtime`, of which the vendor writes down what it heard: that goes into no history, and so into"
        " no hand-off",
    ),
    Engine(
        "self_hosted",
        "{kind: cascade, model: {plugin: openai, model: qwen3, base_url: LAB/v1, keyless: true},"
        " voices: [self_hosted], tools: true}",
        provider="openai.chat",
        path="/v1/chat",
        transcriber="{plugin: openai, model: whisper-large-v3, base_url: LAB/v1, keyless: true,"
        " options: {language: en}}",
        voice="{plugin: openai, model: tts-1, base_url: LAB/v1, keyless: true, options: {voice: NAME}}",
        voice_provider="openai.speech",
        without=NO_SESSION,
        meets=(),
        alike="it is `cascade` with its ears, model and voice at addresses of one's own: ears and voices are the"
        " call's, and a hand-off changes neither",
    ),
    Engine(
        "flux",
        "{kind: cascade, model: {plugin: openai, model: gpt-4.1-mini}, voices: [flux], tools: true}",
        provider="openai.chat",
        path="/v1/chat",
        transcriber="{plugin: deepgram, model: flux-general-en}",
        without=NO_SESSION,
        meets=(),
        alike="it is `cascade`, heard by Deepgram Flux: the ears are the call's, and a hand-off does not change them",
    ),
    Engine(
        "duplex",
        "{kind: duplex, model: {plugin: openai, model: gpt-live-1, options: {voice: duplex}}, tools: true}",
        provider="openai.live",
        path="/v1/live",
        keeps=True,
        without={
            "100 turns": "its session begins with the newest 128 messages: the service takes no more",
            "noise in a turn": "it takes turns by itself: what it makes of a sound is its own affair",
            "stalled in a turn": "it takes turns by itself: where it stops is not known to be too early",
            "lost after a tool": "it asks nobody anew: its one connection is lost, or not",
        },
    ),
)
BY_NAME = {engine.name: engine for engine in ENGINES}
HUMAN = "human"
"""A person, who is in pairs only: nobody asks them for a reply."""


def _meet(one: str, other: str) -> bool:
    """Whether ``one``, as far as it is concerned, is in pairs with ``other``."""
    return one == HUMAN or (meets := BY_NAME[one].meets) is None or other in meets


PAIRS = tuple(
    (left, right)
    for left, right in permutations([*BY_NAME, HUMAN], 2)
    if _meet(left, right) and _meet(right, left)
)
FAILURES: tuple[Kind, ...] = ("server_error", "refuse", "hang", "drop", "malformed")
"""How providers fail: the first three before they answer, the others in mid-answer."""


def why_not(engine: str, case: str) -> str | None:
    """Why a case does not apply to an engine; ``None`` where it does."""
    return BY_NAME[engine].without.get(case)


def why_not_pair(left: str, right: str, trigger: str) -> str | None:
    """Why a hand-off does not apply; ``None`` where it does."""
    if left == HUMAN or BY_NAME[left].keeps:
        return _why_not_given_back(left, right, trigger)
    if trigger == "given back":
        return "it has the call for a turn at a time"
    if trigger == "failure" and right != HUMAN and BY_NAME[right].keeps:
        return "a turn that has failed goes to no engine that would keep the call"
    return None


def failure_of(left: str, right: str) -> Kind:
    """How the provider of ``left`` fails before ``right`` takes over: the ways take turns along rows and columns.

    An engine that keeps a call connects anew, and is left when it cannot.
    """
    kinds = FAILURES[:2] if BY_NAME[left].keeps else FAILURES
    takers = [taker for one, taker in PAIRS if one == left and why_not_pair(one, taker, "failure") is None]
    return kinds[([*BY_NAME].index(left) + takers.index(right)) % len(kinds)]


def _why_not_given_back(left: str, right: str, trigger: str) -> str | None:
    if left != HUMAN and right == HUMAN and trigger in ("failure", "given back"):
        return None
    if trigger in ("failure", "given back"):
        to_cascade = right != HUMAN and not (BY_NAME[right].hears or BY_NAME[right].keeps)
        return None if to_cascade else "a call that is given back goes to a cascade"
    if left == HUMAN:
        return "while a person has the call, no turn is taken"
    if right == HUMAN and trigger != "policy":
        return None
    return "it takes its turns by itself: nobody decides on them, and its tools fetch people only"
