"""The model file: readable, complete, and refused with one clear error when it is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from classifiers import ClassifierError
from classifiers.caller_state import SHIPPED, CallerStateModel

pytestmark = pytest.mark.unit


def shipped() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SHIPPED / "config.json").read_text(encoding="utf-8"))
    return content


def load(folder: Path, content: object) -> CallerStateModel:
    (folder / "config.json").write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    return CallerStateModel.load(folder)


def test_the_shipped_model_loads_and_is_readable() -> None:
    assert CallerStateModel.load().weights == shipped()["weights"]
    assert (SHIPPED / "config.json").stat().st_size < 2_000


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"no config\.json; train one"):
        CallerStateModel.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts_upset": "often"}, "starts_upset is 'often'"),
        ({"starts_upset": 0}, "starts_upset is 0"),
        ({"calms_down": True}, "calms_down is True"),
        ({"becomes_upset": None}, "becomes_upset is None"),
        ({"becomes_upset": 0.6, "calms_down": 0.6}, "add up to more than 1"),
        ({"neutral_log_odds": float("nan")}, "neutral_log_odds is nan"),
        ({"upset_at": 2}, "upset_at is 2"),
        ({"confident_at": 0.2}, "confident_at is 0.2"),
        ({"material": 0}, "material is 0"),
        ({"weights": {}}, "does not weigh every term once"),
        ({"weights": {**shipped()["weights"], "swears": 1}}, "does not weigh every term once"),
        ({"weights": {**shipped()["weights"], "complains": -1}}, "complains is -1"),
        ({"weights": {**shipped()["weights"], "voice_calm": 1}}, "voice_calm is 1"),
        ({"weights": {**shipped()["weights"], "repeats": float("inf")}}, "repeats is inf"),
        ({"model_type": "wav2vec2"}, "is no caller state model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_number_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ClassifierError) as refused:
        load(tmp_path, {**shipped(), **change})
    assert message in str(refused.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"model"'])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ClassifierError):
        load(tmp_path, content)
