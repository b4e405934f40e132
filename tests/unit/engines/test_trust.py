"""All parts of all calls have one idea of whom to trust."""

import ssl
from types import MappingProxyType

import aiohttp
import httpcore2
import pytest

from engines.component import Component, Role
from engines.plugins import Endpoint, build
from engines.tools import Toolbox
from engines.trust import trust
from lab.shop import ShopProcess

pytestmark = pytest.mark.unit

NOBODY = Endpoint("key", "http://127.0.0.1:1/v1")
LAB = Endpoint("lab", "https://127.0.0.1:1", simulated=True)


def mind(plugin: str, model: str) -> Component:
    return Component(plugin, model, MappingProxyType({}))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, whoever loads the machine's certificates fails."""
    trust()

    def load(*_: object, **__: object) -> None:
        raise AssertionError("the machine's certificates are loaded once more")

    monkeypatch.setattr(httpcore2, "default_ssl_context", load)
    monkeypatch.setattr(ssl, "create_default_context", load)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("role", "component", "endpoint"),
    [
        ("llm", mind("openai", "gpt-4.1-nano"), NOBODY),
        ("tts", mind("openai", "gpt-4o-mini-tts"), NOBODY),
        ("stt", mind("openai", "gpt-4o-transcribe"), NOBODY),
        ("decisions", mind("openai", "gpt-4.1-nano"), NOBODY),
        ("realtime", mind("google", "gemini-live-2.5-flash"), NOBODY),
        ("realtime", mind("google", "gemini-live-2.5-flash"), LAB),
    ],
)
async def test_no_part_of_a_call_loads_the_machines_certificates_again(
    http: aiohttp.ClientSession, role: Role, component: Component, endpoint: Endpoint
) -> None:
    await build(role, component, endpoint, http).aclose()


async def test_the_tools_of_a_call_load_none_either(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    async with ShopProcess(tmp_path_factory.mktemp("shop") / "shop.sqlite") as shop:
        request.getfixturevalue("loaded")
        async with Toolbox([shop.url]) as box:
            assert box.tools
