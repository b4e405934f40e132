"""The end of the transcript chain: LiveKit cuts a reply's text to what was heard only behind one."""

from __future__ import annotations

from livekit.agents.voice import io


class HeardText(io.TextOutput):
    """Takes the transcript and lets it go: nothing unredacted leaves a call."""

    def __init__(self) -> None:
        super().__init__(label="HeardText", next_in_chain=None)

    async def capture_text(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""
