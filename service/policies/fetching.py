"""Fetches a policy from an address: only when it changed, never more than a policy can be, never for long."""

from __future__ import annotations

import ssl
from urllib.parse import urljoin

import aiohttp

from service.policies.addresses import safe_address, shown_address
from service.policies.bundles import LIMIT_BYTES
from service.policies.errors import FetchError
from service.policies.offers import Offer

LIMIT_S = 10.0
"""One question and its whole answer."""
_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK_BYTES = 1 << 16


class Fetcher:
    """Asks one address, and remembers which version of it was accepted.

    Args:
        address: ``https``, or ``http`` on this machine.
        trust: the certificates that are trusted; by default those of this machine, or of ``SSL_CERT_FILE``.
        limit_s: for one question and its whole answer.
    """

    def __init__(
        self, address: str, *, trust: ssl.SSLContext | None = None, limit_s: float = LIMIT_S
    ) -> None:
        self.name = shown_address(address)
        self._address = address
        self._trust = trust or ssl.create_default_context()
        self._limit_s = limit_s
        self._etag = ""
        self._fetched_etag = ""

    async def fetch(self) -> Offer | None:
        """What the address offers; ``None`` when that is still what was accepted last.

        Raises:
            FetchError: it offers nothing that can be read.
        """
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust),
                timeout=aiohttp.ClientTimeout(total=self._limit_s),
                auto_decompress=False,
            ) as session:
                return await self._follow(session)
        except TimeoutError as error:
            raise self._failed(f"no whole answer within {self._limit_s:g} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise self._failed(str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, ValueError) as error:  # their texts may hold the whole address
            raise self._failed(f"no answer that can be used ({type(error).__name__})") from error

    def accepted(self) -> None:
        """What was fetched last was accepted: it need not be sent again."""
        self._etag = self._fetched_etag

    async def _follow(self, session: aiohttp.ClientSession) -> Offer | None:
        address = self._address
        headers = {"Accept-Encoding": "identity"} | ({"If-None-Match": self._etag} if self._etag else {})
        for _ in range(1 + _MOST_REDIRECTS):
            async with session.get(address, headers=headers, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    address = self._redirected(address, answer.headers.get("Location", ""))
                    continue
                if answer.status == 304 and self._etag:
                    return None
                if answer.status != 200:
                    raise self._failed(f"answers {answer.status} {answer.reason or ''}".rstrip())
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise self._failed("sends a compressed answer, which was not asked for")
                data = bytearray()
                async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                    data += chunk
                    if len(data) > LIMIT_BYTES:
                        raise self._failed(f"sends more than {LIMIT_BYTES} bytes")
                self._fetched_etag = answer.headers.get("ETag", "")
                return Offer(self.name, bytes(data))
        raise self._failed(f"redirects more than {_MOST_REDIRECTS} times")

    def _redirected(self, address: str, location: str) -> str:
        try:
            return safe_address(urljoin(address, location))
        except ValueError as error:
            raise self._failed(f"redirects elsewhere: {error}") from error

    def _failed(self, reason: str) -> FetchError:
        return FetchError(f"{self.name}: {reason}")
