"""Prices: what a use of a provider costs by the operator's list."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalogue import Catalogue
from engines.prices import UNITS, Prices
from engines.usage import reported_by
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit


def prices(tmp_path: Path, text: str) -> Prices:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    return Prices.load(file)


LIST = """\
version: 2
as_of: 2026-11-01
source: a contract
prices:
  openai/gpt-4.1: {input_text_tokens: 2.0, cached_text_tokens: 0.5, output_text_tokens: 8.0}
  openai/*: {input_text_tokens: 1.0}
  deepgram/nova-3: {audio_minutes: 0.0077}
"""


def test_tokens_are_priced_by_the_million_and_audio_by_the_minute(tmp_path: Path) -> None:
    listed = prices(tmp_path, LIST)
    use = {"input_text_tokens": 1_000_000.0, "cached_text_tokens": 500_000.0, "output_text_tokens": 250_000.0}
    assert listed.cost_usd("openai", "gpt-4.1", use) == pytest.approx(2.0 + 0.25 + 2.0)
    assert listed.cost_usd("deepgram", "nova-3", {"audio_minutes": 10.0}) == pytest.approx(0.077)


def test_a_model_without_an_entry_costs_what_its_plugin_does(tmp_path: Path) -> None:
    listed = prices(tmp_path, LIST)
    assert listed.cost_usd("openai", "gpt-9", {"input_text_tokens": 2e6}) == pytest.approx(2.0)
    assert listed.unpriced("openai", "gpt-9", ["input_text_tokens"]) == ()


def test_what_nobody_priced_costs_nothing_and_is_told(tmp_path: Path) -> None:
    listed = prices(tmp_path, LIST)
    assert listed.cost_usd("google", "gemini", {"input_text_tokens": 1e6}) == 0
    assert listed.cost_usd("deepgram", "nova-3", {"characters": 1e6}) == 0
    assert listed.unpriced("google", "gemini", ["input_text_tokens"]) == ("input_text_tokens",)
    assert listed.unpriced("deepgram", "nova-3", ["characters"]) == ("characters",)
    assert listed.unpriced("openai", "gpt-9", ["input_text_tokens", "output_text_tokens"]) == (
        "output_text_tokens",
    )


def test_a_use_that_is_told_in_two_measures_is_priced_when_one_of_them_is(tmp_path: Path) -> None:
    listed = prices(tmp_path, LIST)
    assert listed.unpriced("deepgram", "nova-3", ["audio_minutes", "output_text_tokens"]) == ()
    assert listed.unpriced("openai", "gpt-9", ["characters", "input_text_tokens"]) == ()


def test_what_is_cached_costs_what_other_input_does_unless_it_has_a_price_of_its_own() -> None:
    """2,000 tokens of which 1,792 were cached, and 40 of reply, at 10 cents a million: 2,040 x $0.0000001."""
    listed = Prices.load(shipped("prices.yaml"))
    use = {"input_text_tokens": 208.0, "cached_text_tokens": 1792.0, "output_text_tokens": 40.0}
    assert listed.cost_usd("cerebras", "llama3.1-8b", use) == pytest.approx(0.000204)
    assert listed.unpriced("cerebras", "llama3.1-8b", use) == ()
    assert listed.cost_usd("openai", "gpt-4.1", {"cache_write_text_tokens": 1e6}) == 2.0
    realtime = Prices.parse(LIST + "  openai/realtime: {input_audio_tokens: 32}\n")
    assert realtime.cost_usd("openai", "realtime", {"cached_audio_tokens": 1e6}) == 32


def test_the_shipped_list_prices_every_model_of_the_shipped_catalogue() -> None:
    listed = Prices.load(shipped("prices.yaml"))
    assert listed.as_of
    parts = Catalogue.load(shipped("engines.yaml")).parts()
    assert [
        part for role, part in parts if listed.unpriced(part.provider, part.model, reported_by(role, part))
    ] == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "openai/x: {input_text_token: 1}",
            "5:14: unknown key 'input_text_token', did you mean 'input_text_tokens'?",
        ),
        ("openai/x: {input_text_tokens: -1}", "5:33: must be at least 0, is -1"),
        ("openai/x: {input_text_tokens: free}", "5:33: must be a number, is text"),
        ("openai/x: cheap", "5:13: must be a mapping, is text"),
    ],
)
def test_a_complaint_says_where_and_what(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        prices(tmp_path, f"version: 2\nas_of: today\nsource: x\nprices:\n  {line}\n")
    assert str(caught.value) == f"{tmp_path / 'prices.yaml'}:{complaint}"


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.floats(0, 1e9)), st.floats(0, 100))
def test_a_cost_is_never_negative_and_grows_with_use(use: dict[str, float], more: float) -> None:
    listed = Prices.load(shipped("prices.yaml"))
    cost_usd = listed.cost_usd("openai", "gpt-realtime", use)
    grown = {unit: amount + more for unit, amount in use.items()}
    assert 0 <= cost_usd <= listed.cost_usd("openai", "gpt-realtime", grown)


def test_an_entry_may_come_from_somewhere_else_than_its_list() -> None:
    listed = Prices.parse(LIST + "  google/*: {input_text_tokens: 1, source: a letter, as_of: 2026-11-02}\n")
    ours, own = listed.price("openai", "gpt-4.1"), listed.price("google", "gemini")
    assert ours is not None
    assert own is not None
    assert (ours.source, ours.as_of) == ("a contract", "2026-11-01")
    assert (own.source, own.as_of) == ("a letter", "2026-11-02")


def test_a_book_is_known_by_what_its_prices_say() -> None:
    listed = Prices.parse(LIST)
    other = LIST.replace("0.0077", "0.0078")
    assert Prices.parse(f"# checked\n{LIST}").hash == listed.hash != Prices.parse(other).hash


def test_a_set_bills_nothing_and_can_be_compared_with() -> None:
    listed = Prices.parse(
        LIST
        + "sets:\n  old: {as_of: 2025-01-01, source: a page, prices: {openai/gpt-4.1: {input_text_tokens: 9}}}\n"
    )
    use = {"input_text_tokens": 1e6}
    assert listed.cost_usd("openai", "gpt-4.1", use) == 2.0
    assert listed.sets["old"].cost_usd("openai", "gpt-4.1", use) == 9.0


def test_a_book_of_another_version_is_refused() -> None:
    with pytest.raises(DocumentError, match="1:10: this Patchbay reads price books of version 2, not 1"):
        Prices.parse(LIST.replace("version: 2", "version: 1"))
