"""What the catalogue says of one part of an engine, before it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["stt", "llm", "tts", "realtime", "decisions"]
Setting = str | int | float | bool
Option = Setting | Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Component:
    """One plugin object to be built: the model and server behind a recogniser, a mind, a voice or a judge."""

    plugin: str
    model: str
    options: Mapping[str, Option]
    base_url: str | None = None
    api_key_env: str | None = None
    keyless: bool = False
    """Whether the server takes everybody: it is sent no key of anybody's."""
    billed_as: str | None = None
    """Who answers at the address, if not the plugin's vendor."""
    callers: tuple[str, ...] = ()
    """The regions whose callers it may serve; empty: everybody's. See :mod:`engines.gates`."""
    needs: tuple[str, ...] = ()
    """The consents without which it is given nothing."""

    @property
    def provider(self) -> str:
        """Whose use it is: in the price book, in the record and in metrics."""
        return self.billed_as or self.plugin
