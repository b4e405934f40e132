"""A voice or a realtime engine that breaks off in mid-reply: what is heard, what is on record, and what is billed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.events import ProviderFailed
from engines.unfinished import Unfinished
from engines.usage import OfReply, Usage, usage
from engines.wording import Wording
from lab.faults import Fault
from tests.conformance.engines.stage import HOST, Staged, staged
from tests.conformance.engines.table import BY_NAME
from tests.virtual_time import run_with_sockets

pytestmark = pytest.mark.conformance

LONG = "tell me all"
LAST_WORD = "marmalade."
MID_REPLY = Fault("drop", times=1, after=12)


def billed(stage: Staged, by: str) -> list[tuple[object, Usage]]:
    """Measurements of a use that costs something."""
    return [
        (event, used)
        for name, _, event in stage.call.used
        if name == by and (used := usage(event)) is not None
    ]


def characters(stage: Staged) -> list[float]:
    return [used.quantities["characters"] for _, used in billed(stage, "voice")]


def test_what_a_voice_breaks_off_the_next_one_says_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = replace(
        BY_NAME["cascade"], entry=BY_NAME["cascade"].entry.replace("[cascade]", f"[cascade, {HOST}]")
    )
    monkeypatch.setitem(BY_NAME, "cascade", two)  # type: ignore[arg-type]

    async def main() -> None:
        async with staged(["cascade"]) as stage:
            stage.lab.context.faults.set("elevenlabs", MID_REPLY)
            said = await stage.asks(LONG)
        [(_, _, text, interrupted)] = stage.replies
        whole = stage.call.messages[-1][1]
        assert text == whole
        assert text.endswith(LAST_WORD)
        assert text.count("There is a great deal") == 2
        assert Wording().start_again.strip() in text
        assert not interrupted
        heard = stage.heard_ms(said.end_ms)
        assert heard[HOST] > heard["cascade"] > 500
        # The first one all of it, whoever says so; the next one with the word about it.
        once = len(whole[whole.rindex("There is") :])
        assert characters(stage) == [once, len(Wording().start_again) + once]

    run_with_sockets(main)


def test_where_no_voice_is_left_the_recorded_apology_is_heard_and_the_record_says_so() -> None:
    async def main() -> None:
        async with staged(["cascade"]) as stage:
            stage.lab.context.faults.set("elevenlabs", MID_REPLY)
            said = await stage.asks(LONG)
            later = await stage.asks("question one")
        (_, _, text, interrupted), (_, _, answer, _) = stage.replies
        assert text.startswith("There is a great deal")
        assert text.endswith(Wording().recorded_words)
        assert LAST_WORD not in text
        assert not interrupted
        assert stage.said_to_model[1] == ("assistant", text)
        assert [one.action for one in stage.call.of(ProviderFailed)] == ["played the recorded apology"]
        apology_ms = sum(frame.duration for frame in Wording().recorded_apology()) * 1000
        assert later.end_ms - said.end_ms > apology_ms
        assert answer
        assert characters(stage)[0] > len(text) - len(Wording().recorded_words)  # what it was given

    run_with_sockets(main)


def test_a_realtime_reply_that_is_lost_in_its_middle_is_billed_once_as_an_estimate() -> None:
    async def main() -> None:
        async with staged(["realtime"], beside=["cascade"]) as stage:
            stage.lab.context.faults.set("openai.realtime", MID_REPLY)
            await stage.asks(LONG)
        [(event, used)] = billed(stage, "realtime")
        assert isinstance(event, OfReply)
        assert isinstance(event.event, Unfinished)
        assert used.model == "gpt-realtime"
        assert used.quantities["input_audio_tokens"] > 5  # nine tenths of a second, at ten a second
        assert used.quantities["output_audio_tokens"] > 0
        assert used.quantities["input_text_tokens"] > 10

    run_with_sockets(main)


def test_a_realtime_reply_that_the_caller_cuts_is_billed_once() -> None:
    async def main() -> None:
        async with staged(["realtime"]) as stage:
            said = await stage.says(LONG)
            await stage.call.answered(said)
            await stage.interrupts("question one")
            await stage.call.heard_out()
        assert [used.estimated for _, used in billed(stage, "realtime")] == [
            False,
            False,
        ]  # it says so itself

    run_with_sockets(main)
