"""The emotion model that ships, held to what is said of it: judged again, in a language that it never heard.

nEMO (Polish; Christop 2024, CC BY-NC-SA) is only read, to be judged; nothing is fitted, chosen or tuned on it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers import EmotionModel
from classifiers.emotion.model import SHIPPED
from classifiers.evaluation import floors
from classifiers.evaluation.card import BEGIN
from classifiers.evaluation.conditions import TELEPHONE, WIDE_BAND
from classifiers.evaluation.corpus import read_emodb, read_folder
from classifiers.evaluation.emotion import Evaluated, How, of_folder, window_cpu_ms
from classifiers.evaluation.judging import Folder
from classifiers.evaluation.leads import Yardstick
from classifiers.evaluation.tables import interval_text

pytestmark = pytest.mark.unit

CORPORA = Path(__file__).parents[5] / "shared" / "data" / "emotion"
CARD = SHIPPED.parent / "MODEL_CARD.md"


@pytest.fixture(scope="module")
def polish() -> Evaluated:
    pytest.importorskip("sklearn", reason="needs the extra `train`")
    for corpus in ("emodb", "nemo_eval"):
        if not (CORPORA / corpus).is_dir():
            pytest.skip(f"needs ../shared/data/emotion/{corpus}")
    return of_folder(
        read_folder(CORPORA / "nemo_eval", "nEMO"),
        Folder(EmotionModel.load()),
        Yardstick.of(read_emodb(CORPORA / "emodb")),
        How((WIDE_BAND, TELEPHONE)),
    )


def test_in_a_language_it_never_heard_it_beats_a_judge_of_level_and_pitch_clear_of_zero(
    polish: Evaluated,
) -> None:
    for lead in polish.leads:
        if not lead.variant.own_habit:
            assert floors.BEATS_BASELINE.judge(lead.lead_vs_rest.low).holds, lead


def test_the_telephone_costs_it_little_there(polish: Evaluated) -> None:
    wide, narrow = (polish.conditions[name]["auroc_vs_rest"].value for name in (WIDE_BAND, TELEPHONE))
    assert wide - narrow <= 0.03


def test_three_utterances_tell_more_than_one(polish: Evaluated) -> None:
    assert polish.calls is not None
    assert polish.calls.gain.low > 0


def test_its_card_states_what_is_measured(polish: Evaluated) -> None:
    card = CARD.read_text(encoding="utf-8")
    if BEGIN not in card:
        pytest.skip("the card has no block of figures")
    for name in (WIDE_BAND, TELEPHONE):
        stated = interval_text(polish.conditions[name]["auroc_vs_rest"].interval)
        assert stated in card, "stale: run `patchbay evaluate emotion --data … --other nEMO=… --card …`"
    for lead in polish.leads:
        assert interval_text(lead.lead_vs_rest) in card


def test_it_is_small_and_quick() -> None:
    assert floors.SIZE_MB.judge((SHIPPED / "model.onnx").stat().st_size / 1e6).holds
    assert floors.WINDOW_CPU_MS.judge(window_cpu_ms(EmotionModel.load())).holds
