"""A part of an engine as the catalogue writes it: a plugin or a preset, a model, an address, a key.

Whoever answers at an address is named: it is paid under that name, and its key is its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from engines.component import Component, Role
from engines.keys import KEY_ENVIRONMENT, host_of, may_have
from engines.needs import KEYS as LIMITS
from engines.needs import read_callers, read_needs
from engines.options import read_options
from engines.plugins import PLUGINS
from engines.presets import PRESETS, Preset
from policies import Node

SELF_HOSTED = "self-hosted"
"""The provider of a server that takes everybody, unless the catalogue names it."""
KEYS = ("plugin", "preset", "model", "base_url", "api_key_env", "keyless", "provider", "options", *LIMITS)
_SCHEMES = ("http", "https", "ws", "wss")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_component(node: Node | None, role: Role) -> Component | None:
    """The part that ``node`` describes; ``None`` where there is none, or one with a problem that was reported."""
    if node is None:
        return None
    node.only(KEYS)
    preset, plugin = _plugin(node, role)
    model_node = node.require("model")
    model = None if model_node is None else model_node.text()
    options = read_options(node.get("options"), plugin)
    if plugin is None or model is None:
        return None
    base_url = _address(node)
    variable, keyless = _key(node, preset, plugin, base_url)
    if base_url is None and preset is not None:
        base_url = preset.base_url
    part = Component(plugin, model, options, base_url, variable, keyless)
    part = replace(part, callers=read_callers(node.get("callers")), needs=read_needs(node.get("needs")))
    return replace(part, billed_as=_provider(node, part))


def _plugin(node: Node, role: Role) -> tuple[Preset | None, str | None]:
    """The preset, if the entry names one, and the plugin."""
    named = node.get("preset")
    if named is None:
        plugin_node = node.require("plugin")
        return None, None if plugin_node is None else plugin_node.one_of(PLUGINS[role], what=f"{role} plugin")
    if (other := node.get("plugin")) is not None:
        other.problem("a preset says which plugin it is: leave out `plugin` or `preset`")
    name = named.one_of(PRESETS, what="preset")
    if name is None:
        return None, None
    preset = PRESETS[name]
    if role not in preset.roles:
        named.problem(f"{name} can be {' or '.join(preset.roles)} here, not {role}")
        return None, None
    return preset, preset.plugin


def _address(node: Node) -> str | None:
    address = node.get("base_url")
    base_url = None if address is None else address.text()
    if address is None or base_url is None:
        return None
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address that cannot be read
        valid = False
    if not valid:
        address.problem("must be a URL such as https://example.com/v1")
        return None
    if parts.username is not None or parts.password is not None:
        address.problem(
            "must hold no name or password: a key belongs into the environment, see `api_key_env`"
        )
        return None
    return base_url


def _key(node: Node, preset: Preset | None, plugin: str, base_url: str | None) -> tuple[str | None, bool]:
    """The variable with the server's key, ``None`` for the plugin's; and whether the server takes none."""
    key_node, keyless_node = node.get("api_key_env"), node.get("keyless")
    variable = None if key_node is None else key_node.text()
    if key_node is not None and variable is not None and not _VARIABLE.fullmatch(variable):
        # Not repeated: whoever misreads it writes the key here.
        key_node.problem("must be the name of an environment variable, such as GROQ_API_KEY")
    keyless = keyless_node is not None and bool(keyless_node.boolean())
    if keyless_node is not None and keyless:
        if variable is not None:
            keyless_node.problem("a server takes a key or none: leave out `api_key_env` or `keyless`")
        elif base_url is None:
            keyless_node.problem("a server that takes no key needs a `base_url`")
        elif may_have(base_url, KEY_ENVIRONMENT[plugin]):
            keyless_node.problem(f"the servers of {plugin} take nobody without a key")
        return None, True
    if variable is None and preset is not None:
        variable = preset.api_key_env
    wanted = variable or KEY_ENVIRONMENT[plugin]
    if not may_have(base_url, wanted):
        (key_node or node.get("base_url") or node).problem(
            f"{wanted} is not sent to {base_url}: name the variable with this server's own key as `api_key_env`, "
            "or write `keyless: true`"
        )
    return variable, False


def _provider(node: Node, part: Component) -> str | None:
    """Who is paid: as written, the preset, nobody, the address; ``None`` for the plugin's vendor."""
    if (written := node.get("provider")) is not None:
        name = written.text()
        if name is not None and not _NAME.fullmatch(name):
            written.problem(
                "a provider's name has small letters, digits, '-', '_' and '.', such as self-hosted"
            )
        return name
    if (preset := node.get("preset")) is not None:
        return str(preset.value)
    if part.keyless:
        return SELF_HOSTED
    if part.base_url is None or may_have(part.base_url, KEY_ENVIRONMENT[part.plugin]):
        return None
    return host_of(part)


def only_named_hosts(root: Node, parts: Mapping[tuple[str, ...], Component]) -> tuple[str, ...]:
    """The hosts that a catalogue allows itself; every part that would reach another is a problem.

    Args:
        root: of the catalogue; its list is `hosts`.
        parts: by where each stands, such as ``("voices", "house")``.
    """
    if (listing := root.get("hosts")) is None:
        return ()
    named = {host for node in listing.elements() if (host := node.text()) is not None}
    for where, part in parts.items():
        if (host := host_of(part)) not in named:
            node = root
            for key in where:
                node = node.get(key) or node
            (node.get("base_url") or node).problem(f"{host} is asked here, which is not among `hosts`")
    return tuple(sorted(named))
