"""What judges a call beside its words: asked where there is somebody to ask, and what was not judged is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import APIConnectionError

from compliance.events import Event, VoiceUnjudged
from engines.catalogue import Catalogue
from policies import shipped
from router import Policy
from service.emotion_ear import UNKNOWN, EarCounts
from service.facts import NO_ANSWERS
from service.judges import Judges
from tests import virtual_time
from tests.unit.service.test_decision_signals import Judge

pytestmark = pytest.mark.unit

QUESTIONS = Policy.parse("""
policy: {name: curious, version: 1}
engines: {fast: {}}
last_resort: fast
questions: {hours: {ask: The caller asks about opening hours.}}
rules:
  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}
""").content.questions


async def as_it_is(lines: Sequence[tuple[str, str]]) -> Any:
    return lines


class Line:
    """A line whose catalogue names a decision model, or not."""

    def __init__(self, opened: AsyncExitStack, *, decisions: bool) -> None:
        text = shipped("engines.yaml").read_text(encoding="utf-8")
        catalogue = Catalogue.parse(text.replace("# decisions: {", "decisions: {") if decisions else text)
        exchange: Any = SimpleNamespace(catalogue=catalogue)
        self.events: list[Event] = []
        self.failed: list[tuple[str, str, str]] = []
        self.changes = 0
        self.judges = Judges(
            exchange,
            opened,
            changed=self._changed,
            failed=lambda part, error, action: self.failed.append((part, type(error).__name__, action)),
            emit=self.events.append,
            call_id="c",
        )

    def _changed(self) -> None:
        self.changes += 1


async def test_nothing_is_asked_for_a_policy_without_questions() -> None:
    async with AsyncExitStack() as opened:
        line = Line(opened, decisions=True)
        assert line.judges.ask({}, Judge(), as_it_is) is NO_ANSWERS
        line.judges.ended(1000)
    assert (line.failed, line.events) == ([], [])


async def test_questions_that_nobody_can_be_asked_stay_unknown_and_that_is_told() -> None:
    async with AsyncExitStack() as opened:
        line = Line(opened, decisions=False)
        assert line.judges.ask(QUESTIONS, None, as_it_is) is NO_ANSWERS
    [(part, error, action)] = line.failed
    assert (part, error) == ("questions", "LookupError")
    assert "names no `decisions` model" in action


def test_answers_are_told_when_they_come_and_how_many_did_not_when_the_call_is_over() -> None:
    async def main() -> Line:
        judge = Judge()
        judge.next = [{"hours": 0.9}, APIConnectionError()]
        async with AsyncExitStack() as opened:
            line = Line(opened, decisions=True)
            answers = line.judges.ask(QUESTIONS, judge, as_it_is)
            answers.ask(1, [("caller", "when are you open")])
            await asyncio.sleep(1)
            assert (dict(answers.values()), line.changes) == ({"hours": 0.9}, 1)
            answers.ask(2, [("caller", "and on Sunday")])
            await asyncio.sleep(1)
            line.judges.ended(5000)
        return line

    assert virtual_time.run(main()).failed == [
        ("questions", "LookupError", "1 of 2 requests to the decision model brought no answer")
    ]


async def test_a_voice_that_may_not_be_judged_is_unknown_and_nothing_was_missed_of_it() -> None:
    async with AsyncExitStack() as opened:
        line = Line(opened, decisions=False)
        assert line.judges.voice.reading() == UNKNOWN
        line.judges.ended(1000)
    assert line.events == []


async def test_what_was_not_judged_of_a_voice_is_told_when_the_call_is_over() -> None:
    async with AsyncExitStack() as opened:
        line = Line(opened, decisions=False)
        ear: Any = SimpleNamespace(counts=EarCounts(dropped_frames=7, late=1))
        line.judges.voice = ear
        line.judges.ended(1000)
    [missed] = line.events
    assert isinstance(missed, VoiceUnjudged)
    assert (missed.at_ms, missed.dropped_frames, missed.late, missed.stale) == (1000, 7, 1, 0)
