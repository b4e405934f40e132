"""How long a silence ends a turn: the catalogue's delay, and what the policy hints at while a caller speaks."""

import pytest
from livekit.agents import UserInputTranscribedEvent

from engines.routing import Route
from service.endpointing import Endpointing

pytestmark = pytest.mark.unit


class Asked:
    """Hints at a longer wait while the words end in a digit."""

    def __init__(self) -> None:
        self.previewed: list[str] = []
        self.delays_s: list[float] = []
        self.endpointing = Endpointing(0.3, preview=self._preview, changed=self.delays_s.append)

    def _preview(self, text: str) -> Route:
        self.previewed.append(text)
        return Route(1, "fast", endpointing_ms=1200 if text[-1:].isdigit() else None)

    def hears(self, text: str, *, final: bool = False, item: str | None = None) -> None:
        self.endpointing.heard(UserInputTranscribedEvent(transcript=text, is_final=final, item_id=item))


def test_the_words_of_a_turn_are_previewed_with_the_guess_after_them() -> None:
    asked = Asked()
    asked.hears("my num")
    asked.hears("my number is 4", final=True)
    asked.hears("5 5")
    asked.hears("5 5 6", final=True)
    assert asked.previewed == ["my num", "my number is 4", "my number is 4 5 5", "my number is 4 5 5 6"]


def test_the_session_is_told_only_when_the_delay_becomes_another_one() -> None:
    asked = Asked()
    for text in ("my number", "my number is 4", "my number is 4 5", "my number is 4 5 thanks"):
        asked.hears(text)
    assert asked.delays_s == [1.2, 0.3]


def test_a_decisions_hint_holds_into_the_next_turn_until_its_first_words() -> None:
    asked = Asked()
    asked.hears("4", final=True)
    asked.endpointing.turn_ended()
    asked.endpointing.decided(900)
    assert asked.delays_s == [1.2, 0.9]
    asked.hears("yes")
    assert asked.delays_s == [1.2, 0.9, 0.3]
    assert asked.previewed[-1] == "yes"


def test_words_that_a_realtime_engine_stored_and_no_words_at_all_change_nothing() -> None:
    asked = Asked()
    asked.hears("4 5 6", final=True, item="item_1")
    asked.hears("")
    assert (asked.previewed, asked.delays_s) == ([], [])
