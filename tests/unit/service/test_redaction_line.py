"""A call's line to the process that redacts: nothing raw comes back from it, whatever becomes of the process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from compliance.events import CallerSaid, EngineHeard, Event, SpeechHeard, ToolCalled
from compliance.redaction import REDACTION_FAILED
from compliance.redaction.spans import Span
from service import redaction_line
from service.aside.wire import Message
from service.redaction_line import BYTES, EVENTS, PATIENCE_S, RedactionLine
from tests.unit.service.aside.beside import Told, acting, serving, slow

pytestmark = pytest.mark.unit

T = TypeVar("T")
SECRET = "ottilie"
Answer = tuple[Mapping[str, Any], bytes]


def said(text: str) -> CallerSaid:
    return CallerSaid(call_id="c", at_ms=1, start_ms=0, end_ms=1, text=text, confidence=0.9)


def called(result: Any) -> ToolCalled:
    return ToolCalled(
        call_id="c", at_ms=1, turn=1, engine="tool", name="find", arguments={}, result=result, failed=False, took_ms=1
    )  # fmt: skip


class Masking:
    """Work for a test: masks every ``ottilie`` of a spoken text, and keeps what it was told."""

    def __init__(self, told: list[tuple[str, Any]]) -> None:
        self._told = told

    def answer(self, header: Mapping[str, Any], payload: bytes) -> Answer:
        do = header["do"]
        said_here: Any = None if do == "begin" else json.loads(payload or "null")
        self._told.append((do, said_here.get("text", said_here) if do == "redact" else said_here))
        if do != "redact":
            return {"suspended": header.get("entity") == "CVV"}, b""
        marked = {
            name: said_here[name]
            for name in ("text", "arguments", "result", "record", "engine_text")
            if name in said_here
        }
        spans = {
            name: [[at, at + len(SECRET), "PERSON"]] if (at := text.find(SECRET)) >= 0 else []
            for name, text in marked.items()
            if isinstance(text, str)
        }
        masked = {n: t.replace(SECRET, "<PERSON>") if isinstance(t, str) else t for n, t in marked.items()}
        return {"spans": spans, "suspended": False}, json.dumps(masked).encode()


class Clock:
    """Time that passes when the line pauses."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def text_of(redacted: tuple[Event, Any]) -> str:
    return str(getattr(redacted[0], "text", ""))


# -- a process that is well --------------------------------------------------------------------------------------


async def test_what_comes_back_is_the_event_redacted_and_where() -> None:
    async with serving(redaction=lambda: Masking([])) as address:
        line = RedactionLine(address)
        event, spans = await in_thread(lambda: line.redact(said("i am ottilie quern")))
        tool, none = await in_thread(lambda: line.redact(called({"a": [1, None]})))
        line.forget()
    assert event == said("i am <PERSON> quern")
    assert spans == {"text": (Span(5, 12, "PERSON"),)}
    assert (tool, none) == (called({"a": [1, None]}), {})
    assert (line.failures, line.suspends_recording) == (0, False)


def test_an_event_without_words_is_not_handed_over(tmp_path: Path) -> None:
    event = SpeechHeard(call_id="c", at_ms=1, speaker="caller", start_ms=0, end_ms=1)
    assert RedactionLine(tmp_path / "nobody").redact(event) == (event, {})


async def test_the_recording_is_suspended_from_what_is_expected_to_what_is_said() -> None:
    async with serving(redaction=lambda: Masking([])) as address:
        line = RedactionLine(address)
        await in_thread(lambda: line.expect("CVV"))
        suspended = line.suspends_recording
        await in_thread(lambda: line.redact(said("seven three nine")))
        line.forget()
    assert (suspended, line.suspends_recording) == (True, False)


# -- a process that lies -----------------------------------------------------------------------------------------

RAW = "i am ottilie quern"
OTHER = json.dumps({"text": "somebody else's words"}).encode()
SAME = json.dumps({"text": RAW}).encode()
MASKED = json.dumps({"text": "i am <PERSON> quern"}).encode()


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ({}, SAME),
        ({"spans": {}}, SAME),
        ({"spans": {"text": []}}, b"no JSON"),
        ({"spans": {"text": []}}, b"\xff"),
        ({"spans": {"text": []}}, b"[]"),
        ({"spans": {"text": []}}, b"{}"),
        ({"spans": {"text": []}}, b'{"text": null}'),
        ({"spans": {"text": []}}, OTHER),
        ({"spans": {"text": []}}, MASKED),
        ({"spans": {"text": [[5, 12, "PERSON"]]}}, OTHER),
        ({"spans": {"text": [[5, 99, "PERSON"]]}}, MASKED),
        ({"spans": {"text": [[12, 5, "PERSON"]]}}, MASKED),
        ({"spans": {"text": [[-1, 5, "PERSON"]]}}, MASKED),
        ({"spans": {"text": [[5, 8, "PERSON"], [7, 12, "PERSON"]]}}, MASKED),
        ({"spans": {"text": [[5, 12, 7]]}}, MASKED),
        ({"spans": {"text": [["5", "12", "PERSON"]]}}, MASKED),
        ({"spans": {"text": [5]}}, MASKED),
        ({"spans": []}, MASKED),
        ({"spans": {"text": [[5, 12, "PERSON"]]}}, json.dumps({"text": "i am x", "more": 1}).encode()),
        ({"failed": "RuntimeError"}, SAME),
        ({"error": "RuntimeError"}, SAME),
    ],
)
async def test_an_answer_that_cannot_be_true_withholds_the_text(
    header: Mapping[str, Any], payload: bytes
) -> None:
    class Lying(Masking):
        def answer(self, asked: Mapping[str, Any], said_there: bytes) -> Answer:
            return (header, payload) if asked["do"] == "redact" else super().answer(asked, said_there)

    async with serving(redaction=lambda: Lying([])) as address:
        line = RedactionLine(address)
        event, spans = await in_thread(lambda: line.redact(said(RAW)))
        line.forget()
    assert (event, spans) == (said(REDACTION_FAILED), {})
    assert line.failures == 1
    assert line.last_failure in ("ImplausibleAnswerError", "RuntimeError")
    assert line.suspends_recording


@pytest.mark.parametrize("result", [b'{"arguments": {}, "result": "x"}', b'{"arguments": {}, "result": []}'])
async def test_data_that_comes_back_in_another_shape_is_withheld(result: bytes) -> None:
    class Lying(Masking):
        def answer(self, asked: Mapping[str, Any], said_there: bytes) -> Answer:
            return ({"spans": {}}, result) if asked["do"] == "redact" else super().answer(asked, said_there)

    async with serving(redaction=lambda: Lying([])) as address:
        line = RedactionLine(address)
        event, _ = await in_thread(lambda: line.redact(called([SECRET])))
        line.forget()
    assert isinstance(event, ToolCalled)
    assert (event.arguments, event.result) == (REDACTION_FAILED, REDACTION_FAILED)


def endless() -> Any:
    value: Any = SECRET
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "result", [{"when": object()}, {1j: SECRET}, endless()], ids=["object", "key", "endless"]
)
async def test_what_is_no_json_is_withheld(result: Any) -> None:
    async with serving(redaction=lambda: Masking([])) as address:
        line = RedactionLine(address)
        event, _ = await in_thread(lambda: line.redact(called(result)))
        line.forget()
    assert isinstance(event, ToolCalled)
    assert event.result == REDACTION_FAILED


# -- a process that is lost --------------------------------------------------------------------------------------


def test_where_nobody_listens_the_first_text_is_waited_for_and_the_next_are_not(tmp_path: Path) -> None:
    clock = Clock()
    line = RedactionLine(tmp_path / "nobody", clock=clock, pause=clock.pause)
    assert text_of(line.redact(said(RAW))) == REDACTION_FAILED
    first_s = clock.now_s
    assert text_of(line.redact(said(RAW))) == REDACTION_FAILED
    assert PATIENCE_S - 1 < first_s <= PATIENCE_S
    assert clock.now_s - first_s < 1
    assert (line.failures, line.last_failure) == (2, "AsideUnreachableError")
    assert line.suspends_recording


async def test_a_process_that_does_not_answer_withholds_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction_line, "PATIENCE_S", 0.05)
    async with slow(Told()) as (address, _):
        line = RedactionLine(address)
        event = await in_thread(lambda: line.redact(said(RAW)))
        line.forget()
    assert text_of(event) == REDACTION_FAILED
    assert line.last_failure == "AsideHungError"


@pytest.mark.parametrize("lost_before", [False, True])
def test_when_the_call_is_over_nobody_waits_long_for_a_process_that_is_gone(
    tmp_path: Path, lost_before: bool
) -> None:
    clock = Clock()
    line = RedactionLine(tmp_path / "nobody", closing_s=3.0, clock=clock, pause=clock.pause)
    if lost_before:
        line.redact(said(RAW))
    line.closing()
    began_s = clock.now_s
    for _ in range(50):
        assert text_of(line.redact(said(RAW))) == REDACTION_FAILED
    assert clock.now_s - began_s <= 3.0


async def test_when_the_call_ends_a_wait_for_a_process_that_hangs_ends_soon() -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = RedactionLine(address, closing_s=0.0)
        waiting = asyncio.create_task(in_thread(lambda: line.redact(said(RAW))))
        await told.until(lambda: bool(process.messages))
        line.closing()
        assert text_of(await waiting) == REDACTION_FAILED
        line.forget()
    assert line.last_failure == "AsideHungError"


async def test_what_is_left_when_the_call_ends_is_redacted_by_a_process_that_is_well() -> None:
    async with serving(redaction=lambda: Masking([])) as address:
        line = RedactionLine(address)
        line.closing()
        texts = [text_of(await in_thread(lambda: line.redact(said(RAW)))) for _ in range(3)]
        line.forget()
    assert texts == ["i am <PERSON> quern"] * 3


class Mortal:
    """A process that masks, and ends when ``ends`` says so of a message; it is then started again, knowing nothing."""

    def __init__(self, ends: Callable[[Message], bool]) -> None:
        self.told: list[tuple[str, Any]] = []
        self.lives = 1
        self._work = Masking(self.told)
        self._ends = ends

    def act(self, message: Message) -> Message | None:
        if self._ends(message):
            self.lives += 1
            self.told.clear()
            return None
        return Message(message.number, *self._work.answer(message.header, message.payload))


def line_to(address: Path, came_back: list[str]) -> RedactionLine:
    clock = Clock()
    return RedactionLine(
        address, came_back=lambda _, action: came_back.append(action), clock=clock, pause=clock.pause
    )


async def test_a_process_that_was_lost_is_told_again_what_it_needs_and_the_text_is_redacted() -> None:
    came_back: list[str] = []
    process = Mortal(lambda message: b"die" in message.payload and process.lives == 1)
    async with acting(process.act) as address:
        line = line_to(address, came_back)
        for text in ("i am ottilie quern", "my mother is ottilie"):
            await in_thread(lambda text=text: line.redact(said(text)))  # type: ignore[misc]
        await in_thread(lambda: line.know("PERSON", "Basil"))
        await in_thread(lambda: line.expect("CVV"))
        event = await in_thread(lambda: line.redact(said("ottilie, die first time")))
        line.forget()
    assert text_of(event) == "<PERSON>, die first time"
    assert process.told == [
        ("begin", None),
        ("know", [["PERSON", "ottilie"], ["PERSON", "Basil"]]),
        ("redact", "i am ottilie quern"),
        ("redact", "my mother is ottilie"),
        ("expect", None),
        ("redact", "ottilie, die first time"),
    ]
    assert came_back == [
        "the process that redacts was lost and is back, and was told again 2 value(s) and 3 event(s)"
    ]
    assert line.failures == 0


async def test_a_text_on_which_the_process_ends_twice_is_withheld_and_the_next_is_redacted() -> None:
    came_back: list[str] = []
    process = Mortal(lambda message: b"die" in message.payload)
    async with acting(process.act) as address:
        line = line_to(address, came_back)
        deadly = await in_thread(lambda: line.redact(said("ottilie, die")))
        after = await in_thread(lambda: line.redact(said("ottilie")))
        line.forget()
    assert (text_of(deadly), text_of(after)) == (REDACTION_FAILED, "<PERSON>")
    assert (process.lives, line.failures, line.last_failure) == (3, 1, "AsideGoneError")
    assert ("redact", "ottilie, die") not in process.told


async def test_who_lied_is_told_everything_again() -> None:
    told: list[tuple[str, Any]] = []
    work = Masking(told)
    lies = [True]

    def act(message: Message) -> Message:
        if message.header["do"] == "redact" and b"second" in message.payload and lies.pop():
            lies.append(False)
            return Message(message.number, {"spans": {"text": []}}, b"nonsense")
        return Message(message.number, *work.answer(message.header, message.payload))

    async with acting(act) as address:
        line = line_to(address, [])
        texts = [
            text_of(await in_thread(lambda text=text: line.redact(said(text))))  # type: ignore[misc]
            for text in ("first", "second", "third")
        ]
        line.forget()
    assert texts == ["first", REDACTION_FAILED, "third"]
    assert [do for do, _ in told] == ["begin", "redact", "begin", "redact", "redact"]


async def test_what_is_told_again_is_bounded_in_number_and_size() -> None:
    process = Mortal(lambda message: b"die" in message.payload and process.lives == 1)
    async with acting(process.act) as address:
        line = line_to(address, [])

        def talk() -> None:
            for i in range(2 * EVENTS):
                line.redact(said(f"{i} ottilie"))
            line.redact(called("x" * BYTES))
            line.redact(said("die"))

        await in_thread(talk)
        line.forget()
    texts = [text for do, text in process.told if do == "redact"]
    assert texts == [*(f"{i} ottilie" for i in range(EVENTS, 2 * EVENTS)), "die"]


async def test_words_that_are_heard_again_are_not_told_again() -> None:
    process = Mortal(lambda message: b"die" in message.payload and process.lives == 1)
    heard_again = EngineHeard(
        call_id="c", at_ms=1, turn=1, engine="realtime", record="ottilie", engine_text="odile", words=1, substituted=1,
        inserted=0, deleted=0, word_error_rate=1.0,
    )  # fmt: skip
    async with acting(process.act) as address:
        line = line_to(address, [])
        event, spans = await in_thread(lambda: line.redact(heard_again))
        await in_thread(lambda: line.redact(said("die")))
        line.forget()
    assert isinstance(event, EngineHeard)
    assert (event.record, event.engine_text) == ("<PERSON>", "odile")
    assert spans == {"record": (Span(0, 7, "PERSON"),), "engine_text": ()}
    assert [do for do, _ in process.told] == ["begin", "redact"]


async def test_what_the_call_knew_is_forgotten_with_it() -> None:
    process = Mortal(lambda message: False)
    async with acting(process.act) as address:
        line = line_to(address, [])
        await in_thread(lambda: line.redact(said("ottilie")))
        line.forget()
        process.told.clear()
        await in_thread(lambda: line.redact(said("another call")))
        line.forget()
    assert [do for do, _ in process.told] == ["begin", "redact"]
