"""The table of assumptions: what it says, where that comes from, and what it refuses."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalogue import Catalogue
from engines.prices import Prices
from policies import DocumentError, shipped
from router import Policy
from router.whatif.assumptions import Assumptions, Need, Wait

pytestmark = pytest.mark.unit

SHIPPED = Assumptions.load(shipped("assumptions.yaml"))
TEXT = shipped("assumptions.yaml").read_text(encoding="utf-8")
ENGINES = ("fast", "standard", "tool", "realtime")

# The typical turn that the document states.
INSTRUCTIONS = {"fast": 100, "standard": 550, "tool": 550, "realtime": 550}
REPLY_TOKENS, REPLY_CHARACTERS, REPLY_S = 30, 130, 9
EARLIER_TEXT, EARLIER_AUDIO, TOOL_CALL, TOOL_RESULT = 55, 270, 25, 150
MODELS = {"fast": "gpt-4.1-nano", "standard": "gpt-4.1-mini", "tool": "gpt-4.1", "realtime": "gpt-realtime"}


def usd(model: str, **use: float) -> float:
    return Prices.load(shipped("prices.yaml")).cost_usd("openai", model, use)


def heard_usd(minutes: float) -> float:
    return Prices.load(shipped("prices.yaml")).cost_usd("deepgram", "nova-3", {"audio_minutes": minutes})


def test_it_covers_every_engine_that_ships_and_the_default_policy_chooses() -> None:
    assert set(ENGINES) <= set(SHIPPED.engines)
    SHIPPED.require(Policy.load(shipped("default.yaml")).engines)
    models = Catalogue.load(shipped("engines.yaml")).components()
    assert set(MODELS.values()) <= {part.model for part in models}


@pytest.mark.parametrize("engine", ["fast", "standard", "tool"])
def test_what_a_cascade_costs_follows_from_the_price_list(engine: str) -> None:
    bill, model, instructions = SHIPPED.engines[engine].usd, MODELS[engine], INSTRUCTIONS[engine]
    spoken_a_minute = REPLY_CHARACTERS / REPLY_S * 60
    voice = Prices.load(shipped("prices.yaml")).cost_usd(
        "elevenlabs", "eleven_flash_v2_5", {"characters": spoken_a_minute}
    )
    turn = usd(model, input_text_tokens=instructions, output_text_tokens=REPLY_TOKENS)
    assert bill.turn == pytest.approx(turn, rel=0.01)
    assert bill.caller_minute == pytest.approx(heard_usd(1), rel=0.01)
    assert bill.agent_minute == pytest.approx(heard_usd(1) + voice, rel=0.01)
    assert bill.context_turn == pytest.approx(usd(model, input_text_tokens=EARLIER_TEXT), rel=0.01)
    if engine == "fast":
        assert bill.tools == 0
    else:
        again = usd(model, input_text_tokens=instructions + TOOL_RESULT, output_text_tokens=TOOL_CALL)
        assert bill.tools == pytest.approx(again, rel=0.01)


def test_what_realtime_costs_follows_from_the_price_list() -> None:
    realtime, model, instructions = SHIPPED.engines["realtime"], MODELS["realtime"], INSTRUCTIONS["realtime"]
    bill, switch = realtime.usd, realtime.switch
    turn = usd(model, cached_text_tokens=instructions, output_text_tokens=REPLY_TOKENS)
    again = usd(
        model, cached_text_tokens=instructions, input_text_tokens=TOOL_RESULT, output_text_tokens=TOOL_CALL
    )
    assert bill.turn == pytest.approx(turn, rel=0.01)
    assert bill.tools == pytest.approx(again, rel=0.01)
    assert bill.caller_minute == pytest.approx(heard_usd(1) + usd(model, input_audio_tokens=600), rel=0.01)
    assert bill.agent_minute == pytest.approx(heard_usd(1) + usd(model, output_audio_tokens=1200), rel=0.01)
    assert bill.context_turn == pytest.approx(usd(model, cached_audio_tokens=EARLIER_AUDIO), rel=0.01)
    uncached = usd(model, input_text_tokens=instructions) - usd(model, cached_text_tokens=instructions)
    assert switch.usd == pytest.approx(uncached, rel=0.01)
    assert switch.usd_context_turn == pytest.approx(usd(model, input_text_tokens=EARLIER_TEXT), rel=0.01)


@pytest.mark.parametrize(
    ("engine", "published_percent", "lost"),
    [("standard", 55.8, 0.0), ("tool", 68.0, 0.0), ("realtime", 60.3, 0.035)],
)
def test_quality_with_tools_follows_from_the_published_share_of_whole_tasks(
    engine: str, published_percent: float, lost: float
) -> None:
    one_turn = (published_percent / 100) ** (1 / 2.8) - lost
    assert SHIPPED.engines[engine].quality[Need.NEEDS_TOOLS] == pytest.approx(one_turn, abs=0.005)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_turn_that_needs_both_is_answered_as_often_as_both_come_off(engine: str) -> None:
    plain, needs_tools, upset, both = SHIPPED.engines[engine].quality
    assert both == pytest.approx(needs_tools * upset / plain, abs=0.006)


def test_every_block_of_figures_says_where_it_comes_from() -> None:
    blocks = {stated.block for stated in SHIPPED.stated}
    assert {
        f"engines.{name}.{part}" for name in ENGINES for part in ("usd", "switch", "quality", "wait_ms")
    } <= blocks
    assert {"value", "speech", "down.wait_ms", "down.quality"} <= blocks
    assert all(stated.source for stated in SHIPPED.stated)
    assert all(stated.assumed for stated in SHIPPED.stated if stated.block.endswith("quality"))


def test_a_wait_has_the_percentiles_that_it_is_given_by() -> None:
    wait = Wait(570, 870)
    assert wait.p50_ms < wait.p95_ms < wait.p99_ms
    assert Wait(300, 300).p95_ms == pytest.approx(300)


@pytest.mark.parametrize(
    ("needs_tools", "upset", "need"),
    [
        (False, False, Need.PLAIN),
        (True, False, Need.NEEDS_TOOLS),
        (False, True, Need.UPSET),
        (True, True, Need.BOTH),
    ],
)
def test_a_need_is_named_by_its_labels(needs_tools: bool, upset: bool, need: Need) -> None:
    assert Need.of(needs_tools=needs_tools, upset=upset) is need


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (changed("  switch: 0.02\n", ""), "a.yaml:17:3: `switch` is missing"),
        (changed("  switch: 0.02", "  switch: lots"), "a.yaml:20:11: must be a number"),
        (changed("      plain: 0.93", "      plain: 1.93"), "must be from 0 to 1, is 1.93"),
        (changed("      p99: 870", "      p99: 87"), "`p99` 87 is below `p50` 570"),
        (changed("      source: it has no tools", "      origin: it has no tools"), "unknown key 'origin'"),
        (
            changed("      source: it has no tools", "      assumed: ' ' #"),
            "is empty: say where the figures come from",
        ),
        (changed("  assumed: conversational", "  source: a\n  assumed: b #"), "needs either `source`"),
        (changed("down:", "up:"), "unknown key 'up'"),
        ("engines: {}", "at least one engine is needed"),
        ("engines: 3", "must be a mapping, is a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as raised:
        Assumptions.parse(text, file="a.yaml")
    assert complaint in str(raised.value)
    assert all(line.startswith("a.yaml:") for line in str(raised.value).splitlines())


def test_an_engine_of_which_nothing_is_assumed_is_named() -> None:
    with pytest.raises(DocumentError, match="says nothing of half_cascade, which the policy may choose"):
        SHIPPED.require(["fast", "half_cascade"])


@given(st.sampled_from(TEXT.splitlines()), st.text(max_size=20))
def test_a_line_that_is_anything_at_all_gives_a_table_or_an_error_with_positions(
    line: str, other: str
) -> None:
    key = line.split(":")[0]
    with suppress(DocumentError):  # and nothing else
        Assumptions.parse(TEXT.replace(line, f"{key}: {other}", 1), file="a.yaml")
