"""The page on choosing engines: every snippet is a catalogue that loads, and of whose parts every one can be built."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from engines.catalogue import KINDS, Catalogue
from engines.plugins import Endpoint, Endpoints
from policies import shipped
from service.cast import cast

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "choose-engines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BASE = shipped("engines.yaml").read_text(encoding="utf-8")
BELOW, INSTEAD = (
    "# in policies/engines.yaml, below engines:\n",
    "# in policies/engines.yaml, instead of transcriber:\n",
)
LAB = Endpoints(
    {},
    {
        name: Endpoint("lab", f"{scheme}://127.0.0.1:1/v1", True)
        for name, scheme in {
            "openai": "http",
            "deepgram": "http",
            "elevenlabs": "http",
            "google": "https",
        }.items()
    },
    lab_only=True,
)


def indented(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))


def catalogues() -> list[str]:
    """Each snippet as part of a catalogue."""
    found = []
    for block in BLOCKS:
        if block.startswith(BELOW):
            found.append(f"{BASE.rstrip()}\n{indented(block.removeprefix(BELOW))}")
        elif block.startswith(INSTEAD):
            before, after = re.split(r"^transcriber:\n(?:  .*\n)+", BASE, flags=re.MULTILINE)
            found.append(before + block.removeprefix(INSTEAD) + after)
        elif block.startswith("version: 1\n"):
            found.append(block)
    return found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # when google.genai is compiled
@pytest.mark.parametrize("text", catalogues())
async def test_a_snippet_loads_and_its_parts_can_be_built(text: str, http: aiohttp.ClientSession) -> None:
    catalogue = Catalogue.parse(text)
    made = cast(catalogue, LAB, http, lambda *used: None)
    await made.aclose()


def test_every_snippet_is_tried() -> None:
    prices = [
        block for block in BLOCKS if block.startswith("# in policies/prices.yaml")
    ]  # tests of the docs read them
    assert len(catalogues()) + len(prices) == len(BLOCKS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_engine_is_shown(kind: str) -> None:
    assert f"kind: {kind}\n" in PAGE
