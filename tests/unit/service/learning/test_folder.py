"""A model folder appears whole or not at all, and nothing but a model is written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifiers import ClassifierError
from service.learning.folder import check_replaceable, replacing

pytestmark = pytest.mark.unit


def write(folder: Path, mark: str) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "patchbay-tool-need", "mark": mark}))


def mark(folder: Path) -> str:
    found: str = json.loads((folder / "config.json").read_text())["mark"]
    return found


def test_a_folder_appears_when_all_of_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "models" / "tool-need"
    with replacing(out) as new:
        write(new, "first")
        assert not out.exists()
    assert mark(out) == "first"
    assert [path.name for path in out.parent.iterdir()] == ["tool-need"]
    assert out.stat().st_mode & 0o055 == 0o055, "a worker of another user reads it"


def test_what_was_there_is_kept_beside_it_and_only_the_last_of_that(tmp_path: Path) -> None:
    out = tmp_path / "tool-need"
    for name in ("first", "second", "third"):
        with replacing(out) as new:
            write(new, name)
    assert mark(out) == "third"
    assert mark(tmp_path / "tool-need.before") == "second"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_training_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "tool-need"
    with replacing(out) as new:
        write(new, "first")

    def interrupted() -> None:
        with replacing(out) as new:
            write(new, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert mark(out) == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["tool-need"]


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON"])
def test_a_folder_that_holds_no_model_is_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "accounts.txt").write_text("ours")
    with pytest.raises(ClassifierError, match="is no model folder, so it is not written over"):
        check_replaceable(tmp_path)
    with pytest.raises(ClassifierError), replacing(tmp_path):
        raise AssertionError("nothing must be trained for it")
    assert (tmp_path / "accounts.txt").read_text() == "ours"


def test_neither_is_a_file_nor_a_folder_below_one(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("ours")
    with pytest.raises(ClassifierError, match="is no model folder"), replacing(file):
        pass
    with pytest.raises(ClassifierError, match="cannot be written"), replacing(file / "model"):
        pass


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    with replacing(out) as new:
        write(new, "first")
    assert mark(out) == "first"
