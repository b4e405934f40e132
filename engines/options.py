"""Further arguments of a plugin, as the catalogue writes them: text, numbers, true or false, and a voice's settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engines.component import Option, Setting
from policies import Node

VOICE_SETTINGS = "voice_settings"
"""The option of an ElevenLabs voice that is a mapping: in what style it speaks."""
NOT_OPTIONS = ("model", "api_key", "base_url", "client", "http_session")
"""What entries say by keys of their own, where it is checked."""
_BOUNDS = {"stability": (0.0, 1.0), "similarity_boost": (0.0, 1.0), "style": (0.0, 1.0), "speed": (0.25, 4.0)}
_NEEDED = ("stability", "similarity_boost")
_BOOST = "use_speaker_boost"


def read_options(listing: Node | None, plugin: str | None) -> Mapping[str, Option]:
    """The options in ``listing``, if there is one, for ``plugin``; every one that cannot be is a problem."""
    options: dict[str, Option] = {}
    if listing is None:
        return MappingProxyType(options)
    for key, value in listing.items():
        if key in NOT_OPTIONS:
            listing.key(key).problem(f"'{key}' is not an option")
        elif plugin == "elevenlabs" and key == VOICE_SETTINGS:
            options[key] = _voice_settings(value)
        elif isinstance(value.value, str | int | float | bool):
            options[key] = value.value
        else:
            value.problem("an option is text, a number, true or false")
    return MappingProxyType(options)


def _voice_settings(node: Node) -> Mapping[str, Setting]:
    """How an ElevenLabs voice speaks; ranges as in its API reference, "Get voice settings"."""
    node.only((*_BOUNDS, _BOOST))
    settings: dict[str, Setting] = {}
    if not isinstance(node.value, dict):
        return settings
    for name in _NEEDED:  # the plugin has no default for them
        node.require(name)
    for name, (least, most) in _BOUNDS.items():
        if (entry := node.get(name)) is not None and (
            value := entry.number(least=least, most=most)
        ) is not None:
            settings[name] = value
    if (entry := node.get(_BOOST)) is not None and (boost := entry.boolean()) is not None:
        settings[_BOOST] = boost
    return MappingProxyType(settings)
