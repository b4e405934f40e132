"""The consents and disclosures of one call: what is said of them, what the caller says to them, and the record of it.

The decisions are :mod:`compliance.consent`'s; here words are read for what they mean, what was played is compared with
what was to be said, and every change goes on record and to whoever acts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from classifiers import words
from compliance.clock import CallClock
from compliance.consent import Change, Consents, Meaning, Passage, Rules, Script, Wording
from compliance.events import ConsentChanged, Disclosed, Disclosure, DisclosureMissed, Event, Topic
from compliance.tap import Playout
from engines.recital import Recital

SLACK_MS = 40.0
"""A passage was heard to its end when no more than this of it was not: a resampler keeps back as much."""
OBJECTS: Mapping[Topic, Callable[[str], bool]] = {
    "recording": words.objects_to_recording,
    "emotion": words.objects_to_voice_analysis,
    "voice_ai": words.objects_to_voice_ai,
}
ALLOWS: Mapping[Topic, Callable[[str], bool]] = {
    "recording": words.allows_recording,
    "emotion": words.allows_voice_analysis,
    "voice_ai": words.allows_voice_ai,
}


class CallConsents:
    """Implements :class:`service.facts.Consents` for a call.

    Args:
        rules: of the jurisdiction whose law applies to the caller.
        wanted: what the line does with callers who let it.
        language: BCP 47 tag of the line's language.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.
        changed: told of each change after it is on record; it counts from then on.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        wanted: Collection[Topic],
        language: str,
        clock: CallClock,
        emit: Callable[[Event], None],
        call_id: str,
        changed: Callable[[Topic, bool], None] = lambda what, given: None,
    ) -> None:
        self._consents, self._from_settings = Consents.start(rules, wanted)
        self._script = Script(rules, wanted, language)
        self._clock = clock
        self._emit = emit
        self._call_id = call_id
        self._changed = changed
        self._ai_disclosed = False

    # -- service.facts.Consents ---------------------------------------------------------------------------
    def heard(self, text: str, turn: int, *, ended: bool) -> None:
        """The caller said ``text`` in a turn, or has said so far; an objection counts before the turn has ended."""
        if not ended:
            if text:
                self._became(turn, *self._consents.speaking(Meaning(objects=_topics(OBJECTS, text))))
            return
        if words.asks_if_machine(text):
            self._script.asked_if_machine()
        meaning = Meaning(
            objects=_topics(OBJECTS, text),
            allows=_topics(ALLOWS, text),
            agrees=words.agrees(text),
            refuses=words.refuses(text),
            silent=not text.strip(),
        )
        self._became(turn, *self._consents.turn_ended(meaning))

    def signals(self) -> Mapping[str, bool]:
        """What a policy may ask about, by name."""
        given = self._consents.given
        return {
            "caller.consent_voice_ai": given("voice_ai"),
            "caller.consent_emotion": given("emotion"),
            "caller.consent_recording": given("recording"),
            "call.ai_disclosed": self._ai_disclosed,
        }

    # -- what the call tells ------------------------------------------------------------------------------
    def given(self, what: Topic) -> bool:
        """Whether the caller consents to it now."""
        return self._consents.given(what)

    def answered(self) -> None:
        """The call begins: what the line's settings give is put on record."""
        self._tell(0, self._from_settings)

    def greeting(self, greeting: str, offer: str) -> tuple[Passage, ...]:
        """What the call begins with."""
        return self._script.greeting(greeting, offer)

    def after_reply(self) -> tuple[Passage, ...]:
        """What is to be said now that a reply is over; often nothing."""
        return self._script.after_reply()

    def played(
        self, passages: Sequence[Passage], recital: Recital, playout: Playout | None, turn: int
    ) -> None:
        """``passages`` were said by ``recital``; ``playout`` is what was heard of it, if any was."""
        if playout is None:
            return
        for number, passage in enumerate(passages):
            begin_ms, end_ms, whole = recital.span_ms(number)
            if (
                passage.wording is None
                or passage.what is None
                or not begin_ms < min(end_ms, playout.heard_ms)
            ):
                continue
            complete = whole and playout.heard_ms >= end_ms - SLACK_MS
            self._script.said(passage, complete=complete)
            self._emit(
                Disclosed(
                    call_id=self._call_id,
                    at_ms=self._clock.now_ms(),
                    turn=turn,
                    what=passage.what,
                    wording=passage.wording.name,
                    language=passage.wording.language,
                    version=Wording.version(passage.words),
                    start_ms=max(0.0, playout.ear_ms(begin_ms)),
                    end_ms=max(0.0, min(playout.ear_ms(end_ms), playout.end_ms)),
                    heard_share=min(1.0, (playout.heard_ms - begin_ms) / (end_ms - begin_ms)),
                    complete=complete,
                )
            )
            if complete:
                self._ai_disclosed |= passage.what == "ai"
                self._became(turn, *self._consents.disclosed(passage.what))

    def ended(self, at_ms: float) -> None:
        """The call is over: what was never heard to its end is put on record."""
        missed: tuple[Disclosure, ...] = self._script.missed
        if missed:
            self._emit(DisclosureMissed(call_id=self._call_id, at_ms=at_ms, what=missed))

    # -- changes ------------------------------------------------------------------------------------------
    def _became(self, turn: int, consents: Consents, changes: Iterable[Change]) -> None:
        before, self._consents = self._consents, consents
        for change in (changed := tuple(changes)):
            if change.given:
                self._script.answered(change.what)
            else:
                self._script.objected(change.what, was_given=before.given(change.what))
        self._tell(turn, changed)

    def _tell(self, turn: int, changes: Iterable[Change]) -> None:
        for change in changes:
            self._emit(
                ConsentChanged(
                    call_id=self._call_id,
                    at_ms=self._clock.now_ms(),
                    turn=turn,
                    what=change.what,
                    given=change.given,
                    how=change.how,
                )
            )
            self._changed(change.what, change.given)


def _topics(cues: Mapping[Topic, Callable[[str], bool]], text: str) -> frozenset[Topic]:
    return frozenset(topic for topic, says_so in cues.items() if says_so(text))
