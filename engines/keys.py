"""Whose key goes where: a vendor's key goes to the vendor's own addresses and to no others."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from engines.component import Component

KEY_ENVIRONMENT: Mapping[str, str] = {
    "openai": "OPENAI_API_KEY",
    "deepgram": "DEEPGRAM_API_KEY",
    "elevenlabs": "ELEVEN_API_KEY",
    "google": "GOOGLE_API_KEY",
}
"""The environment variable each plugin reads its key from (the plugins' own documentation)."""

HOSTS: Mapping[str, str] = {
    "openai": "api.openai.com",
    "deepgram": "api.deepgram.com",
    "elevenlabs": "api.elevenlabs.io",
    "google": "generativelanguage.googleapis.com",
}
"""Where each plugin's vendor answers when the catalogue names no address."""

DOMAINS: Mapping[str, str] = {
    "OPENAI_API_KEY": "openai.com",
    "DEEPGRAM_API_KEY": "deepgram.com",
    "ELEVEN_API_KEY": "elevenlabs.io",
    "GOOGLE_API_KEY": "googleapis.com",
    "GROQ_API_KEY": "groq.com",
    "CEREBRAS_API_KEY": "cerebras.ai",
}
"""By variable, the domain of the vendor whose key it holds."""

NO_KEY = "none"
"""What a keyless server is sent in the place of a key: without one, clients would look for the vendor's."""


def host_of(component: Component) -> str:
    """The host that is asked for ``component``."""
    if component.base_url is None:
        return HOSTS[component.plugin]
    return urlsplit(component.base_url).hostname or ""


def variable_of(component: Component) -> str | None:
    """The variable with the key for ``component``; ``None`` where none is sent."""
    return None if component.keyless else component.api_key_env or KEY_ENVIRONMENT[component.plugin]


def may_have(base_url: str | None, variable: str) -> bool:
    """Whether the key in ``variable`` may go to an address.

    That of a vendor goes to the vendor's own domain and encrypted; any other where the catalogue sends it.
    """
    if base_url is None or (domain := DOMAINS.get(variable)) is None:
        return True
    address = urlsplit(base_url)
    host = address.hostname or ""
    return address.scheme in ("https", "wss") and (host == domain or host.endswith(f".{domain}"))


def stays_home(component: Component) -> bool:
    """Whether the key for ``component``, if there is one, goes to whom it belongs."""
    variable = variable_of(component)
    return variable is None or may_have(component.base_url, variable)
