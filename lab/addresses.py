"""Where a lab is reached, in the form that each vendor's plugin wants its ``base_url``."""

from __future__ import annotations

from abc import ABC, abstractmethod

from lab.errors import LabError


class Reachable(ABC):
    """A lab that may be running; every address raises :class:`LabError` while it is not."""

    _url: str | None = None
    _secure_url: str | None = None

    @property
    def url(self) -> str:
        """The lab itself."""
        if self._url is None:
            raise LabError(f"the lab is not running: use it as `async with {type(self).__name__}() as lab`")
        return self._url

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def deepgram_url(self) -> str:
        return f"{self.url}/deepgram/v1/listen"

    @property
    def elevenlabs_url(self) -> str:
        return f"{self.url}/elevenlabs/v1"

    @property
    def google_url(self) -> str:
        """Where Google's client finds the Live API; it speaks TLS only."""
        if self._secure_url is None:
            raise LabError(f"the lab is not running: use it as `async with {type(self).__name__}() as lab`")
        return self._secure_url

    @property
    def stand_ins(self) -> dict[str, str]:
        """The base URL of every provider that the lab stands in for, by plugin."""
        return {
            "openai": self.openai_url,
            "deepgram": self.deepgram_url,
            "elevenlabs": self.elevenlabs_url,
            "google": self.google_url,
        }

    @abstractmethod
    async def aclose(self) -> None:
        """Stop."""
