"""What every engine must do, whatever is behind it."""

import asyncio

import pytest
from livekit.agents import llm

from compliance.events import ProviderFailed
from engines.awaited import NOISE_S
from engines.wording import Wording
from lab.faults import Fault
from tests.conformance.engines.cells import case
from tests.conformance.engines.stage import (
    FIRST_REPLY_S,
    HOST,
    QUESTIONS,
    SPARE,
    WORDLESS,
    Staged,
    staged,
)
from tests.conformance.engines.table import BY_NAME

pytestmark = pytest.mark.conformance

STILL_HERE = Wording().still_here.strip()
ONE, TWO, THREE, _ = QUESTIONS
LAST_WORD = "marmalade."
TURNS = 100
SILENCE_S = 15.0
LIMIT_S = 12.0
"""Stands for the ten minutes of the vendors."""


def answer(question: str) -> str:
    return f"The answer to {question} is yours."


def exchange(*questions: str) -> list[tuple[str, str]]:
    """A conversation in which each was answered."""
    return [message for one in questions for message in (("user", one), ("assistant", answer(one)))]


def told_to_wait(engine: str) -> list[str]:
    """What is said while a tool works, once; one that keeps a call speaks meanwhile as it likes."""
    return [] if BY_NAME[engine].keeps else [STILL_HERE]


def turn(engine: str, number: int) -> int:
    """The turn under which the reply to the caller's so manieth is on record: an engine that keeps a call has one."""
    return 1 if BY_NAME[engine].keeps else number


def said(stage: Staged, turn: int) -> str:
    [text] = [text for number, _, text, _ in stage.replies if number == turn]
    return text


@case("reply")
async def test_a_turn_is_answered_once_by_the_engine_decided(engine: str) -> None:
    async with staged([engine]) as stage:
        spoken = await stage.asks(ONE)
    assert stage.replies == [(1, engine, answer(ONE), False)]
    assert stage.call.messages == exchange(ONE)
    assert list(stage.heard_ms(spoken.end_ms)) == [engine]
    assert stage.said_to_model == [("user", ONE)]
    assert stage.lost_at_the_tap == 0
    if BY_NAME[engine].hears:
        assert stage.lost_ms(ONE) <= 20


@case("tool")
async def test_a_reply_holds_what_a_tool_returned(engine: str) -> None:
    async with staged([engine], with_tools=True) as stage:
        await stage.asks("look up mine")
    assert [(use.name, use.failed) for use in stage.tools] == [("find_item", False)]
    assert said(stage, 1) == "Your kettle is on its way."


@case("parallel tools")
async def test_two_tools_at_once_lead_to_one_reply(engine: str) -> None:
    async with staged([engine], with_tools=True) as stage:
        await stage.asks("look up both")
        await stage.asks(TWO)
    assert sorted(use.name for use in stage.tools) == ["find_day", "find_item"]
    assert [text for *_, text, _ in stage.replies] == ["Your kettle comes on Monday.", answer(TWO)]
    kinds = [item.type for item in stage.call.session.history.items]
    assert (kinds.count("function_call"), kinds.count("function_call_output")) == (2, 2)


@case("tool error")
async def test_a_tool_that_refuses_is_told_of(engine: str) -> None:
    async with staged([engine], with_tools=True) as stage:
        await stage.asks("try it")
        await stage.asks(TWO)
    assert [(use.name, use.failed) for use in stage.tools] == [("refuse", True)]
    assert [text for *_, text, _ in stage.replies] == ["That did not work out just now.", answer(TWO)]


@case("tool time-out")
async def test_a_tool_that_does_not_return_is_given_up(engine: str) -> None:
    async with staged([engine], with_tools=True) as stage:
        await stage.says("wait for it")
        await stage.call.until(lambda: "work out" in str(stage.replies))
        await stage.call.heard_out()
        await stage.asks(TWO)
    [use] = stage.tools
    assert (use.name, use.failed, use.result) == ("dawdle", True, "no answer within 8 s")
    assert [text for *_, text, _ in stage.replies] == [
        *told_to_wait(engine),
        "That did not work out just now.",
        answer(TWO),
    ]
    assert STILL_HERE not in str(stage.call.messages)
    assert STILL_HERE not in str(stage.asked)


@case("slow tool")
async def test_who_waits_for_a_tool_is_told_so_and_answered_although_a_voice_fails(engine: str) -> None:
    async with staged([engine], with_tools=True, with_spare=True) as stage:
        stage.lab.context.faults.set(BY_NAME[engine].voice_provider, Fault("stall", times=1, after=0))
        spoken = await stage.says("take your time")
        await stage.call.until(lambda: "kettle" in str(stage.replies))
        await stage.call.heard_out()
    assert [(use.name, use.failed) for use in stage.tools] == [("ponder", False)]
    assert stage.replies == [
        *((1, engine, words, False) for words in told_to_wait(engine)),
        (1, engine, "Your kettle is on its way.", False),
    ]
    assert list(stage.heard_ms(spoken.end_ms)) == [*(SPARE for _ in told_to_wait(engine)), engine]
    assert stage.call.of(ProviderFailed) == []
    assert STILL_HERE not in str(stage.call.messages)


@case("barge-in")
async def test_what_was_not_heard_of_a_cut_reply_is_in_no_history(engine: str) -> None:
    async with staged([engine]) as stage:
        spoken = await stage.says("tell me all")
        began_ms = await stage.call.answered(spoken)
        await asyncio.sleep(1.5)
        over = await stage.interrupts(TWO)
        await stage.call.answered(over)
        await stage.call.heard_out()
        await stage.asks(THREE)
    (_, by, text, cut), *rest = stage.replies
    assert (by, cut) == (engine, not BY_NAME[engine].keeps), "one that keeps a call stops by itself"
    assert rest == [
        (turn(engine, 2), engine, answer(TWO), False),
        (turn(engine, 3), engine, answer(THREE), False),
    ]
    assert text
    assert LAST_WORD not in text
    assert stage.call.messages == [("user", "tell me all"), ("assistant", text), *exchange(TWO, THREE)]
    assert (LAST_WORD in str(stage.said_to_model)) == (not BY_NAME[engine].truncates)
    assert stage.heard_ms(over.start_ms + 800, over.end_ms) == {}
    assert stage.heard_ms(began_ms, over.start_ms)[engine] == pytest.approx(over.start_ms - began_ms, abs=60)


@case("empty transcript")
async def test_a_sound_without_words_is_no_turn(engine: str) -> None:
    async with staged([engine]) as stage:
        await stage.asks(ONE)
        sound = await stage.says(WORDLESS)
        await asyncio.sleep(6)
        silent = stage.heard_ms(sound.end_ms)
        await stage.asks(TWO)
    assert silent == {}
    assert stage.replies == [(1, engine, answer(ONE), False), (turn(engine, 2), engine, answer(TWO), False)]
    assert stage.call.messages == exchange(ONE, TWO)
    assert stage.said_to_model == [*exchange(ONE), ("user", TWO)]
    assert stage.lost_ms(WORDLESS, last=True) > 0


@case("noise in a turn")
async def test_a_sound_without_words_does_not_end_an_answer(engine: str) -> None:
    async with staged([engine]) as stage:
        spoken = await stage.says("tell me all")
        await stage.call.answered(spoken)
        await asyncio.sleep(0.8)
        noise = await stage.interrupts(WORDLESS)
        await stage.call.until(lambda: LAST_WORD in str(stage.replies))
        await stage.asks(TWO)
    [first, second, third] = stage.replies
    assert first[:2] == second[:2] == (1, engine)
    assert (first[3], second[2].endswith(LAST_WORD), second[3]) == (True, True, False)
    assert third == (2, engine, answer(TWO), False)
    assert stage.call.of(ProviderFailed) == []
    assert next(iter(stage.heard_ms(noise.end_ms).values())) < 1000 * (NOISE_S + FIRST_REPLY_S)


@case("long silence")
async def test_the_turn_after_a_long_silence_is_answered(engine: str) -> None:
    async with staged([engine]) as stage:
        first = await stage.asks(ONE)
        heard_ms = stage.heard_ms(first.end_ms)
        await asyncio.sleep(SILENCE_S)
        assert stage.heard_ms(first.end_ms) == heard_ms
        await stage.asks(TWO)
    assert stage.replies == [(1, engine, answer(ONE), False), (turn(engine, 2), engine, answer(TWO), False)]
    assert stage.said_to_model == [*exchange(ONE), ("user", TWO)]


@case("100 turns")
async def test_a_hundred_turns_go_along(engine: str) -> None:
    async with staged([engine]) as stage:
        before = [f"question number {number}" for number in range(TURNS)]
        for number, (role, text) in enumerate(exchange(*before), start=1):
            message = llm.ChatMessage.model_validate({"role": role, "content": [text], "created_at": number})
            stage.call.session.history.insert(message)
        await stage.call.session.current_agent.update_chat_ctx(stage.call.session.history.copy())
        stage.call.desk.consent_changed()  # which brings warm sessions in step
        await stage.call.in_step()
        await stage.asks(ONE)
        await stage.asks(TWO)
    assert [(number, by) for number, by, *_ in stage.replies] == [(1, engine), (turn(engine, 2), engine)]
    assert stage.said_to_model == [*exchange(*before, ONE), ("user", TWO)]


@case("lost between turns")
async def test_connections_that_break_between_turns_are_not_noticed(engine: str) -> None:
    async with staged([engine]) as stage:
        await stage.asks(ONE)
        stage.cut_off(engine)
        await asyncio.sleep(3)
        await stage.asks(TWO)
    assert stage.replies == [(1, engine, answer(ONE), False), (turn(engine, 2), engine, answer(TWO), False)]
    assert stage.call.messages == exchange(ONE, TWO)
    assert stage.said_to_model == [*exchange(ONE), ("user", TWO)]


@case("lost in a turn")
async def test_a_reply_that_breaks_off_is_given_to_its_end(engine: str) -> None:
    async with staged([engine]) as stage:
        spoken = await stage.says("tell me all")
        await stage.call.until(lambda: bool(stage.asked))
        await asyncio.sleep(0.25)
        stage.cut_off(engine)
        began_ms = await stage.call.answered(spoken)
        await stage.call.heard_out()
        await asyncio.sleep(1)
        await stage.asks(TWO)
    by, text, cut = stage.replies[-2][1:]
    assert stage.replies[-1] == (turn(engine, 2), engine, answer(TWO), False)
    assert (text.endswith(LAST_WORD), cut) == (True, False)
    assert by
    assert began_ms - spoken.end_ms < 1000 * FIRST_REPLY_S
    assert ("user", "tell me all") in stage.said_to_model


@case("stalled in a turn")
async def test_a_reply_that_stops_coming_is_given_to_its_end(engine: str) -> None:
    async with staged([engine]) as stage:
        stage.lab.context.faults.set(BY_NAME[engine].provider, Fault("stall", times=1, after=6))
        spoken = await stage.says("tell me all")
        await stage.call.answered(spoken)
        await stage.call.until(lambda: LAST_WORD in str(stage.replies))
        await stage.asks(TWO)
    _, text, cut = stage.replies[-2][1:]
    assert (text.endswith(LAST_WORD), cut) == (True, False)
    failed = [failed.engine for failed in stage.call.of(ProviderFailed)]
    if BY_NAME[engine].truncates:
        assert stage.replies[-1] == (2, engine, answer(TWO), False)
        assert failed == [engine]
    else:  # its session, which cannot be brought in step, is found out and given up in the next turn
        assert stage.replies[-1] == (2, HOST, f"{Wording().one_moment}{answer(TWO)}", False)
        assert failed == [engine, engine]


@case("lost after a tool")
async def test_what_a_tool_returned_is_told_although_its_engine_fails(engine: str) -> None:
    async with staged([engine], with_tools=True) as stage:
        fault = Fault("server_error", times=1)
        stage.on_tool = lambda: stage.lab.context.faults.set(BY_NAME[engine].provider, fault)
        await stage.says("look up mine")
        await stage.call.until(lambda: "kettle" in str(stage.replies))
    assert [(use.name, use.failed) for use in stage.tools] == [("find_item", False)]
    assert next(text for *_, text, _ in stage.replies if "kettle" in text).endswith(
        "Your kettle is on its way."
    )
    assert [failed.engine for failed in stage.call.of(ProviderFailed)] == [engine]


@case("session limit")
async def test_a_session_that_its_vendor_ended_is_seeded_again(engine: str) -> None:
    async with staged([engine], session_limit_s=LIMIT_S) as stage:
        await stage.asks(ONE)
        await stage.asks(TWO)
        await stage.call.until(lambda: stage.call.line.clock.now_ms() > 1000 * (LIMIT_S + 2))
        await stage.asks(THREE)
    assert [(number, by) for number, by, *_ in stage.replies] == [
        (turn(engine, number), engine) for number in (1, 2, 3)
    ]
    assert stage.call.messages == exchange(ONE, TWO, THREE)
    assert stage.said_to_model == [*exchange(ONE, TWO), ("user", THREE)]
