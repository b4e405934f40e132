"""Every part of a catalogue built once, so that what a plugin refuses is known before anybody calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from engines.catalogue import Catalogue
from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.plugins import Endpoint, build, loadable

_NO_SESSION = cast("Any", None)  # constructors keep the HTTP session, and no more
KEYLESS = Endpoint("not set")


def try_out(
    catalogue: Catalogue, endpoint_of: Callable[[Component], Endpoint] = lambda part: KEYLESS
) -> None:
    """Build each part as a call would; nothing is connected.

    Args:
        catalogue: of the engines.
        endpoint_of: where each part is; by default no key is needed to know.

    Raises:
        EngineNotConfiguredError: plugins refuse what the catalogue says of them; all such parts, by their places.
    """
    refused = []
    for place, (role, part) in catalogue.places.items():
        if loadable(part):
            try:
                build(role, part, endpoint_of(part), _NO_SESSION)
            except EngineNotConfiguredError as error:
                refused.append(f"{catalogue.file}: {place}: {error}")
    if refused:
        raise EngineNotConfiguredError("\n".join(refused))
