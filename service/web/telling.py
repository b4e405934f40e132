"""What a caller is told on a line whose audio does not pass through here, and what that rests on.

The vendor's model says it. That it did is told by the vendor's transcript of the reply, and that all of it went out by
the vendor's word that it has sent the reply's audio (``output_audio_buffer.stopped``). How much of it was played in
the browser is not known here; the record says so (``proof: sent``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from compliance.consent import Change, Consents, Meaning, Passage, Rules, Wording
from compliance.events import Disclosed, Topic
from service.consents import CallConsents
from service.settings import Settings

_WORD = re.compile(r"[^\W_]+")


def wanted(settings: Settings, *, stated: bool) -> frozenset[Topic]:
    """What such a call does with a caller's voice: it goes to a vendor, and nothing else can be done with it.

    Args:
        settings: of the deployment.
        stated: whether the page asked the caller, who consents.
    """
    return frozenset(("voice_ai",)) if settings.consent_voice_ai or stated else frozenset()


def given_before(rules: Rules, settings: Settings) -> bool:
    """Whether callers of this line consent to a speech-to-speech vendor before they hear anything."""
    return Consents.start(rules, wanted(settings, stated=False))[0].given("voice_ai")


class DirectConsents(CallConsents):
    """The consents and disclosures of such a call."""

    def answered_in_page(self) -> None:
        """The call begins, and the page asked the caller before, who consents to a speech-to-speech vendor."""
        if self.given("voice_ai"):
            self._tell(0, [Change("voice_ai", True, "stated")])
        else:
            self._became(0, *self._consents.turn_ended(Meaning(allows=frozenset({"voice_ai"}))))

    def sent(
        self,
        passages: Sequence[Passage],
        *,
        text: str,
        whole: bool,
        broken: bool,
        turn: int,
        start_ms: float,
        end_ms: float,
    ) -> None:
        """A reply that was to say ``passages`` went out.

        Args:
            passages: what was to be said.
            text: what was said, by the vendor's transcript.
            whole: whether all of its audio was sent, and not cut.
            broken: whether it was the vendor that broke off; then it is owed as before.
            turn: the caller turn after which it was said; 0 is the greeting.
            start_ms: when the vendor began to send it.
            end_ms: when it was sent or cut.
        """
        for passage in passages:
            if passage.wording is None or passage.what is None:
                continue
            complete = whole and says(text, passage.words)
            if complete or not broken:
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
                    start_ms=start_ms,
                    end_ms=end_ms,
                    heard_share=float(complete),
                    complete=complete,
                    proof="sent",
                )
            )
            if complete:
                self._ai_disclosed |= passage.what == "ai"
                self._became(turn, *self._consents.disclosed(passage.what))


def says(text: str, words: str) -> bool:
    """Whether ``text`` has ``words`` in their order, whatever the case and punctuation."""
    return f" {_plain(words)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold().replace("’", "'").replace("'", "")))
