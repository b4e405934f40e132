"""Fault switches: one a provider, counted, cleared by themselves."""

import pytest

from lab.errors import LabError
from lab.faults import AT_CONNECT, IN_STREAM, Fault, Faults

pytestmark = pytest.mark.unit


def test_a_fault_strikes_until_it_is_cleared() -> None:
    faults = Faults()
    faults.set("openai.chat", Fault("rate_limited"))
    assert [faults.take("openai.chat") for _ in range(3)] == [Fault("rate_limited")] * 3
    faults.clear("openai.chat")
    assert faults.take("openai.chat") is None


def test_a_limited_fault_clears_itself() -> None:
    faults = Faults()
    faults.set("deepgram", Fault("drop", times=2))
    assert [(f.kind if (f := faults.take("deepgram")) else None) for _ in range(3)] == ["drop", "drop", None]


def test_asking_for_another_kind_does_not_use_a_fault_up() -> None:
    faults = Faults()
    faults.set("openai.realtime", Fault("drop", times=1))
    assert faults.take("openai.realtime", *AT_CONNECT) is None
    assert faults.peek("openai.realtime") == Fault("drop", times=1)
    assert faults.take("openai.realtime", *IN_STREAM) == Fault("drop", times=1)
    assert faults.peek("openai.realtime") is None


def test_providers_fail_independently() -> None:
    faults = Faults()
    faults.set("elevenlabs", Fault("hang"))
    assert faults.take("openai.speech") is None
    faults.clear()
    assert faults.take("elevenlabs") is None


def test_a_fault_is_read_from_json() -> None:
    assert Fault.from_json({"kind": "slow", "factor": 8}) == Fault("slow", factor=8)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"kind": "explode"}, "unknown fault 'explode'"),
        ({"kind": "drop", "times": 0}, "at least once"),
        ({"kind": "slow", "factor": 0}, "factor > 0"),
        ({"kind": "drop", "when": 1}, "is not a fault"),
        ({}, "is not a fault"),
    ],
)
def test_a_bad_fault_is_a_lab_error(value: dict[str, object], complaint: str) -> None:
    with pytest.raises(LabError, match=complaint):
        Fault.from_json(value)


def test_an_unknown_provider_is_a_lab_error() -> None:
    with pytest.raises(LabError, match="unknown provider 'openai'"):
        Faults().set("openai", Fault("drop"))  # type: ignore[arg-type]
