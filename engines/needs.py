"""What a part of an engine may be given: whose calls, and with which consents. As the catalogue writes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from compliance.events import Topic
from policies import Node
from router.signals import CATALOGUE

REGIONS = CATALOGUE["caller.region"].choices
"""Whose law applies to a caller."""
VOICE_AI = "consent_voice_ai"
"""That a voice may be heard by a vendor's model: what every engine that hears callers needs."""
NEEDS: Mapping[str, Topic] = {
    VOICE_AI: "voice_ai",
    "consent_emotion": "emotion",
    "consent_recording": "recording",
}
"""What a caller must consent to, by its name in the catalogue."""
KEYS = ("callers", "needs")


def read_callers(node: Node | None) -> tuple[str, ...]:
    """The regions whose callers a part may serve; empty where it may serve everybody."""
    return _names(node, REGIONS, "region")


def read_needs(node: Node | None) -> tuple[str, ...]:
    """The consents without which a part is given nothing."""
    return _names(node, NEEDS, "consent")


def _names(node: Node | None, known: Collection[str], what: str) -> tuple[str, ...]:
    if node is None:
        return ()
    listed = [node] if isinstance(node.value, str) else list(node.elements())
    if isinstance(node.value, list) and not listed:
        node.problem(f"must name at least one {what}; leave it out where there is no limit")
    named = (one.one_of(known, what=what) for one in listed)
    return tuple(dict.fromkeys(name for name in named if name is not None))
