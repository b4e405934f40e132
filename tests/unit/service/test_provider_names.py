"""A provider has one name, whatever its plugin calls it."""

import pytest

from compliance.events import CallEnded, ProviderFailed
from engines.catalogue import Catalogue
from policies import shipped
from service.provider_names import named

pytestmark = pytest.mark.unit

CATALOGUE = Catalogue.parse(
    shipped("engines.yaml")
    .read_text(encoding="utf-8")
    .replace("{plugin: openai, model: gpt-4.1-nano,", "{preset: groq, model: llama-3.1-8b-instant,")
)


def failure(engine: str, provider: str) -> ProviderFailed:
    return ProviderFailed(
        call_id="c",
        at_ms=1,
        turn=1,
        engine=engine,
        provider=provider,
        error="APIError 503",
        action="moved on",
    )


@pytest.mark.parametrize(
    ("engine", "plugin_says", "billed_as"),
    [("fast", "api.groq.com", "groq"), ("tool", "api.openai.com", "openai"), ("fast", "voice", "voice")],
)
def test_a_failure_names_the_provider_that_is_paid(engine: str, plugin_says: str, billed_as: str) -> None:
    assert named(failure(engine, plugin_says), CATALOGUE).provider == billed_as


def test_what_is_no_failure_of_an_engine_stays_as_it_is() -> None:
    stranger = failure("nobody", "somewhere")
    ended = CallEnded(call_id="c", at_ms=1, reason="over", turns=0, cost_usd=0)
    assert named(stranger, CATALOGUE) is stranger
    assert named(ended, CATALOGUE) is ended
