"""Patchbay over HTTP: browsers come into rooms, or call a vendor's realtime model that we watch."""

from service.web.app import make_app
from service.web.rooms import JoinToken, LiveKit, join_token

__all__ = ["JoinToken", "LiveKit", "join_token", "make_app"]
