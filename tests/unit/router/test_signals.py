"""The signal catalogue and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from router import CATALOGUE, SignalError, Signals
from router.signals import Kind, catalogue, markdown_table

pytestmark = pytest.mark.unit
DOC = Path(__file__).parents[3] / "docs" / "reference" / "signals.md"


def test_signals_not_given_are_unknown() -> None:
    signals = Signals({"turn.count": 3})
    assert signals["turn.count"] == 3
    assert signals.as_dict() == {name: spec.unknown for name, spec in CATALOGUE.items()} | {"turn.count": 3}


def test_what_is_unknown_closes_rather_than_opens() -> None:
    signals = Signals()
    assert signals["caller.consent_voice_ai"] is False
    assert signals["emotion.label"] == "unknown"


def test_every_problem_is_listed() -> None:
    with pytest.raises(SignalError) as raised:
        Signals(
            {
                "turn.cout": 1,
                "turn.chars": 2.0,
                "turn.words": True,
                "turn.tool_p": 1.5,
                "emotion.upset": float("nan"),
                "emotion.label": "frustated",
                "call.asked_human": 1,
                "call.queue": "x" * 65,
                "time.hour": 24,
            }
        )
    assert raised.value.problems == (
        "call.asked_human: must be true or false, is 1",
        f"call.queue: must be text of at most 64 characters, is '{'x' * 65}'",
        "emotion.label: must be one of calm, upset, frustrated, unknown, is 'frustated', "
        "did you mean 'frustrated'?",
        "emotion.upset: must be from 0 to 1, is nan",
        "time.hour: must be from 0 to 23 h, is 24",
        "turn.chars: must be a whole number, is 2.0",
        "turn.cout: no such signal, did you mean 'turn.count'?",
        "turn.tool_p: must be from 0 to 1, is 1.5",
        "turn.words: must be a whole number, is True",
    )


def test_numbers_of_numpy_and_whole_doubles_become_plain_python() -> None:
    signals = Signals({"emotion.upset": np.float32(0.5), "turn.count": np.int64(2), "turn.tool_p": 1})
    assert [type(signals[name]) for name in ("emotion.upset", "turn.count", "turn.tool_p")] == [
        float,
        int,
        float,
    ]


def test_signals_cannot_be_changed() -> None:
    given = {"turn.count": 1}
    signals = Signals(given)
    given["turn.count"] = 9
    assert signals["turn.count"] == 1
    with pytest.raises(TypeError):
        signals.values["turn.count"] = 9  # type: ignore[index]


def test_an_engine_that_operators_add_has_signals_of_its_own() -> None:
    assert "provider.half_healthy" in catalogue(["fast", "half"])
    assert Signals({"provider.half_healthy": False})["provider.half_healthy"] is False
    with pytest.raises(SignalError, match=r"provider\.half_weight: no such signal"):
        Signals({"provider.half_weight": 1})


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_declaration_is_complete_and_holds_its_own_unknown(name: str) -> None:
    spec = CATALOGUE[name]
    assert spec.meaning
    assert spec.source
    assert spec.check(spec.unknown) == spec.unknown
    assert bool(spec.choices) is (spec.kind is Kind.ENUM)


def test_the_reference_page_is_generated_from_the_catalogue() -> None:
    assert markdown_table() in DOC.read_text(encoding="utf-8")
