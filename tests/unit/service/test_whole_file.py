"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from service.whole_file import write_whole

pytestmark = pytest.mark.unit


def test_what_was_there_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "policy.yaml"
    target.write_bytes(b"before")
    write_whole(target, b"after")
    assert target.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["policy.yaml"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_who_may_read_it_is_said_and_does_not_depend_on_the_process(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "policy.yaml"
    write_whole(target, b"text", mode=mode)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_what_cannot_be_put_in_place_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "policy.yaml"
    target.mkdir()
    with pytest.raises(OSError, match=r"policy\.yaml"):
        write_whole(target, b"text")
    assert os.listdir(tmp_path) == ["policy.yaml"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "policy.yaml", b"text")
