"""The hand-off bench: what is lost is seen to be lost."""

import numpy as np
import pytest

from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from lab.bench import known_lab
from lab.bench.handoff import lost_at_tap_ms, lost_ms, main
from lab.known_speech import longest_pause_s

pytestmark = pytest.mark.unit

KNOWN = known_lab.speech()
SAID = KNOWN[0]
PAUSE = np.zeros(RATE_HZ // 3 + 5, np.int16)


def heard(begin_ms: int = 0, end_ms: int = 1000) -> Samples:
    """A turn with that much of what was said."""
    return np.concatenate([PAUSE, SAID.samples[begin_ms * RATE_HZ // 1000 : end_ms * RATE_HZ // 1000], PAUSE])


def test_a_turn_that_was_heard_whole_has_lost_nothing_wherever_it_begins() -> None:
    assert lost_ms(SAID.text, [PAUSE, heard()], KNOWN) == 0


@pytest.mark.parametrize(("begin_ms", "end_ms", "lost"), [(40, 1000, 40), (0, 940, 60), (0, 0, 1000)])
def test_what_is_missing_of_a_turn_is_told(begin_ms: int, end_ms: int, lost: float) -> None:
    assert lost_ms(SAID.text, [heard(begin_ms, end_ms)], KNOWN) == lost


def test_what_is_missing_within_a_turn_is_told() -> None:
    hole = heard()
    hole[len(PAUSE) + RATE_HZ // 2 :][: RATE_HZ // 50] += 1
    assert lost_ms(SAID.text, [hole], KNOWN) in (20, 40)


def test_another_turn_makes_up_for_nothing() -> None:
    others = [one.samples for one in KNOWN[1:]]
    assert lost_ms(SAID.text, others, KNOWN) == 1000


def test_the_tap_has_lost_what_differs_and_what_it_did_not_have() -> None:
    caller = heard()
    frames = np.split(caller[: len(caller) // 480 * 480], len(caller) // 480)
    assert lost_at_tap_ms(caller, frames) == 0
    assert lost_at_tap_ms(caller, frames[5:]) == 0, "its first frames came before anybody could listen to it"
    assert lost_at_tap_ms(caller, [*frames[:20], np.zeros(480, np.int16), *frames[21:]]) > 15


def test_utterances_have_no_pause_that_could_end_a_turn() -> None:
    assert max(longest_pause_s(one.samples) for one in KNOWN) < 0.1
    assert longest_pause_s(np.concatenate([SAID.samples, PAUSE])) == pytest.approx(
        len(PAUSE) / RATE_HZ, abs=0.02
    )


def test_there_are_only_so_many_different_turns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(len(KNOWN) + 1)]) == 2
    assert f"between 2 and {len(KNOWN)} turns" in capsys.readouterr().err
