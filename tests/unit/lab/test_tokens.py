"""Billing of simulated prompts: a count from the text, and OpenAI's rule for the cache."""

import pytest

from lab.tokens import PromptCache, count

pytestmark = pytest.mark.unit


def test_words_and_signs_are_tokens_and_long_words_are_several() -> None:
    assert count("Hello, how are you?") == 6
    assert count("internationalisation") == 3
    assert count("") == 0


def test_a_repeated_beginning_is_cached_in_steps_of_128_from_1024_on() -> None:
    cache = PromptCache()
    assert cache.cached([("system", 1100), ("hello", 5)]) == 0
    assert cache.cached([("system", 1100), ("hello", 5), ("again", 5)]) == 1024
    assert cache.cached([("system", 1100), ("hello", 5), ("a longer turn", 300)]) == 1024
    assert cache.cached([("system", 1100), ("hello", 5), ("a longer turn", 300), ("more", 5)]) == 1280


def test_a_short_or_other_beginning_is_not_cached() -> None:
    cache = PromptCache()
    cache.cached([("short", 100)])
    assert cache.cached([("short", 100), ("x", 5)]) == 0
    cache.cached([("a", 2000)])
    assert cache.cached([("b", 10), ("a", 2000)]) == 0
