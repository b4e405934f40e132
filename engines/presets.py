"""Providers that speak OpenAI's protocol at an address of their own, by a name: ``preset: groq``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.component import Role


@dataclass(frozen=True, slots=True)
class Preset:
    """What a name stands for; a catalogue entry may say otherwise of the address and the key.

    Attributes:
        plugin: that speaks the provider's protocol.
        base_url: as the provider's own documentation gives it.
        api_key_env: the variable that the provider's documentation reads the key from.
        roles: what the provider can be in a catalogue.
    """

    plugin: str
    base_url: str
    api_key_env: str
    roles: tuple[Role, ...]


PRESETS: Mapping[str, Preset] = {
    "groq": Preset("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY", ("llm", "stt")),
    "cerebras": Preset("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", ("llm",)),
}
"""https://console.groq.com/docs/openai and https://inference-docs.cerebras.ai/resources/openai"""
