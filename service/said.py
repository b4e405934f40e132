"""What a caller's words tell, turn by turn: the signals from the transcript, live and in replayed conversations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from classifiers import words
from classifiers.caller_state import WordCues
from classifiers.tool_need import Earlier, Ready, ToolNeed, ToolNeedModel, ToolSet
from compliance.events import Part
from service.cues import digits

NEEDS_TOOLS_AT = 0.5
"""The tool-need classifier's own threshold, for policies that ask it for a verdict."""
SPOKEN_LANGUAGE = "call.spoken_language"
"""The one signal whose model is large: it is loaded, and asked, only where a policy reads the signal."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one turn's words told: signals by name, cues for the caller's state, and the parts that failed at it."""

    signals: dict[str, Any]
    cues: WordCues
    failures: tuple[tuple[Part, Exception], ...]


class Said:
    """The words of one call.

    Args:
        tool_need: judges whether answering takes a tool.
        tools: those that the call's engines have, if known.
        language: whether to tell the language.
    """

    def __init__(
        self, tool_need: ToolNeedModel, tools: ToolSet | None = None, *, language: bool = False
    ) -> None:
        self._tool_need = tool_need
        self._tools = tools
        self._earlier = Earlier()
        self._ready: tuple[tuple[str, int, Earlier], Ready] | None = None
        self._latest: tuple[tuple[str, str, int, Earlier], Told] | None = None
        """What was read last, by all that it rests on."""
        self._before: tuple[str, str] | None = None
        """The turn before, and what the agent had said, while topic and language are yet to take it in: they do when
        the next words are read, for nobody waits for an answer to those yet."""
        self._topic = words.TopicChange()
        self._language = words.CallLanguage() if language else None
        self._asked_human = False
        self._repeats = 0
        self._corrections = 0

    def preview(self, text: str, agent: str, turn: int) -> Told:
        """What ``text``, said after ``agent`` in this turn (from 1), would tell; nothing is remembered of it."""
        return self._told(text, agent, turn, ended=False)

    def turn_ended(self, text: str, agent: str, turn: int) -> Told:
        """The same for a turn that is over, which the call remembers."""
        return self._told(text, agent, turn, ended=True)

    def tool_called(self, name: str) -> None:
        """A tool was called to answer the turn that ended last."""
        self._earlier = self._earlier.having_called(name)

    def person_came(self) -> None:
        """The caller was with a person, and has not asked for one since."""
        self._asked_human = False

    def _told(self, text: str, agent: str, turn: int, *, ended: bool) -> Told:
        read = self._read(text, agent, turn)
        cues = read.cues
        asked_human = self._asked_human or cues.asks_for_human
        repeats, corrections = self._repeats + cues.repeats, self._corrections + cues.corrects
        if ended:
            self._asked_human, self._repeats, self._corrections = asked_human, repeats, corrections
            if all(part != "tool_need" for part, _ in read.failures):
                self._earlier = self._earlier.then(text)
            self._before = text, agent
        so_far = {
            "call.asked_human": asked_human,
            "call.repeats": repeats,
            "call.corrections": corrections,
        }
        return replace(read, signals=read.signals | so_far)

    def _read(self, text: str, agent: str, turn: int) -> Told:
        """What the words tell by themselves: for the same words the same, so a right preview has told it already."""
        known = text, agent, turn, self._earlier
        if self._latest is not None and self._latest[0] == known:
            return self._latest[1]
        read = self._judged(text, agent, turn)
        if text and not read.failures:  # what failed is tried again
            self._latest = known, read
        return read

    def _judged(self, text: str, agent: str, turn: int) -> Told:
        cues = WordCues(
            words=len(text.split()),
            complains=words.complains(text),
            repeats=words.repeats_themselves(text),
            corrects=words.corrects(text),
            asks_for_human=words.asks_for_human(text),
        )
        spoken = digits(text)
        failures: list[tuple[Part, Exception]] = []
        signals: dict[str, Any] = {
            "turn.chars": len(text),
            "turn.words": cues.words,
            "turn.digits": spoken.count,
            "turn.ends_in_digits": spoken.at_end,
            "turn.complains": cues.complains,
            "turn.asks_if_machine": words.asks_if_machine(text),
        }
        need = ToolNeed(0.0, 0.0)
        try:
            known = agent, turn, self._earlier
            if self._ready is None or self._ready[0] != known:  # the same for every preview of a turn
                self._ready = known, self._tool_need.ready(agent, turn=turn, earlier=self._earlier)
            need = self._tool_need.judge(text, self._ready[1], self._tools)
        except Exception as error:
            failures.append(("tool_need", error))
        signals["turn.tool_p"] = need.probability
        signals["turn.needs_tools"] = need.probability >= NEEDS_TOOLS_AT
        before, self._before = self._before, None
        try:
            signals["turn.reading_out"] = words.reading_out(text, agent)
            if before is not None:
                self._topic.turn_ended(*before)
            signals["turn.topic_change"] = self._topic.probability(text, agent)
            if self._language is not None:
                if before is not None:
                    self._language.turn_ended(before[0])
                signals[SPOKEN_LANGUAGE] = self._language.guess(text).tag
        except Exception as error:
            failures.append(("words", error))
        return Told(signals, cues, tuple(failures))
