"""``patchbay cost`` as an operator meets it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from compliance.events import UsageIncurred
from compliance.ledger import Ledger
from service.cli import app
from service.words import dollars
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit

CALLS = (quick_call(), tuple(event.model_copy(update={"call_id": "another"}) for event in furious_call()))


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PATCHBAY_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.delenv("PATCHBAY_PRICES", raising=False)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        for events in CALLS:
            ledger.append_many(events)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["cost", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    assert value["schema"] == "patchbay.cost/1"
    return value


@pytest.mark.usefixtures("recorded")
def test_a_bill_adds_up_what_is_on_record() -> None:
    spent = sum(event.cost_usd for events in CALLS for event in events if isinstance(event, UsageIncurred))
    value = told("bill", "--by", "call")
    assert value["total"]["cost_usd"] == pytest.approx(spent)
    assert {line["name"] for line in value["lines"]} == {events[0].call_id for events in CALLS}


@pytest.mark.usefixtures("recorded")
def test_a_bill_of_one_call_holds_no_other() -> None:
    assert [line["name"] for line in told("bill", "--by", "call", "--call", "another")["lines"]] == [
        "another"
    ]
    table = run("bill", "--call", "another").output
    assert "sent again" in table
    assert "total" in table


@pytest.mark.usefixtures("recorded")
def test_a_call_that_is_not_on_record_is_named() -> None:
    result = run("bill", "--call", "nobody")
    assert result.exit_code == 2
    assert "the ledger holds no call nobody; it holds 2 others" in result.output


def test_a_ledger_that_is_not_there_is_named() -> None:
    result = run("bill")
    assert result.exit_code == 2
    assert "there is no ledger at" in result.output


def test_a_turn_is_priced_for_every_model_of_the_book() -> None:
    value = told("turn", "--set", "articles", "--caller-s", "60", "--agent-s", "30", "--characters", "700")
    costs = {one["model"]: one["cost_usd"] for one in value["models"]}
    assert costs["deepgram/nova-3"] == pytest.approx(0.0077)
    assert costs["openai/tts-1"] == pytest.approx(0.0105)
    assert costs["openai/gpt-realtime"] == pytest.approx(0.0576)


@pytest.mark.parametrize(
    ("models", "cost_usd"),
    [
        (["deepgram/nova-3", "groq/llama-3.1-8b-instant", "openai/tts-1"], 0.01827),
        (["openai/whisper-1", "cerebras/llama3.1-8b", "openai/tts-1"], 0.016625),
        (["openai/gpt-realtime"], 0.0576),
        (["openai/gpt-realtime-mini"], 0.018),
    ],
)
def test_the_articles_turns_are_one_figure_each(models: list[str], cost_usd: float) -> None:
    turn = ["--caller-s", "60", "--agent-s", "30", "--characters", "700", "--output-tokens", "250"]
    assert told("turn", *models, "--set", "articles", *turn)["total_usd"] == pytest.approx(cost_usd)
    assert dollars(cost_usd) in run("turn", *models, "--set", "articles", *turn).output


def test_a_model_that_has_no_price_is_named() -> None:
    result = run("turn", "openai/nobody")
    assert result.exit_code == 2
    assert "has no price of 'openai/nobody'; it has deepgram/nova-3" in result.output


def test_a_second_of_audio_is_as_many_tokens_as_the_provider_counts() -> None:
    live = "google/gemini-2.5-flash-native-audio-preview-12-2025"
    [used] = told("turn", live, "--caller-s", "10", "--agent-s", "4")["models"]
    assert used["used"] == {"input_audio_tokens": 250, "output_audio_tokens": 100}
    assert used["cost_usd"] == pytest.approx(250 * 3e-6 + 100 * 12e-6)


def test_recognisers_and_voices_by_the_token_are_reckoned_with_the_words_too() -> None:
    ears, voice = told(
        "turn",
        "openai/gpt-4o-transcribe",
        "openai/gpt-4o-mini-tts",
        "--caller-s",
        "10",
        "--characters",
        "100",
    )["models"]
    assert ears["used"] == {"input_audio_tokens": 100, "output_text_tokens": 32.5}
    assert voice["used"] == {"output_audio_tokens": 180, "input_text_tokens": 25}


@pytest.mark.parametrize("prices", ["", "articles"])
def test_every_price_of_a_turn_is_readable_in_80_columns(
    prices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = run("turn", "--set", prices).output
    assert "…" not in table
    for one in told("turn", "--set", prices)["models"]:
        assert dollars(one["cost_usd"]) in table
        assert one["as_of"] in table


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("by", ["model", "provider", "engine", "call", "day"])
def test_every_figure_of_a_bill_is_readable_in_80_columns(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = run("bill", "--by", by).output
    assert "…" not in table
    assert all(dollars(line["cost_usd"]) in table for line in told("bill", "--by", by)["lines"])


def test_a_set_that_the_book_does_not_have_is_named() -> None:
    result = run("turn", "--set", "article")
    assert result.exit_code == 2
    assert "has no set 'article'; it has articles" in result.output


def test_break_even_volumes_are_told_and_so_is_never() -> None:
    value = told("break-even", "--against-usd", "0.09", "--against-usd", "0.01")
    assert [one["minutes"] for one in value["break_even"]] == [pytest.approx(142_857, abs=1), None]
    table = run("break-even", "--against-usd", "0.09", "--against-usd", "0.01").output
    assert "142,857" in table
    assert "never" in table
