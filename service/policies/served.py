"""The file in which to read the policy that is served, for people and commands."""

from __future__ import annotations

import os
from pathlib import Path

from service.policies.addresses import is_address, shown_address
from service.policies.bundles import SUFFIX
from service.policies.errors import NoPolicyError
from service.policies.shelf import Shelf
from service.settings import Settings


def shelf_of(settings: Settings) -> Shelf:
    """Where the policy that was accepted last is kept."""
    place = str(settings.policy)
    name = place if is_address(place) else os.path.abspath(place)
    return Shelf.of(
        settings.policy_folder(), name, signed=bool(settings.policy_keys.replace(",", "").strip())
    )


def policy_file(settings: Settings) -> Path:
    """The policy file that is configured; of bundles, the text of the one that was accepted last.

    Raises:
        NoPolicyError: none was accepted yet.
    """
    place = str(settings.policy)
    if not (is_address(place) or os.path.isdir(place) or place.endswith(SUFFIX)):
        return Path(place)
    kept = shelf_of(settings).policy
    if not kept.is_file():
        source = shown_address(place) if is_address(place) else place
        raise NoPolicyError([f"{source}: no policy of it was accepted here yet: name a policy file"])
    return kept
