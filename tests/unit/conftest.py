"""What unit tests of several folders share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """What plugins ask their vendors with."""
    async with aiohttp.ClientSession() as session:
        yield session
