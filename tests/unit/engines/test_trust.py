"""All parts of all calls have one idea of whom to trust."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import aiohttp
import httpcore2
import pytest

from engines.component import Component, Role
from engines.plugins import Endpoint, build
from engines.tools import Toolbox
from engines.trust import trust
from lab.shop import ShopProcess
from tests.unit.service.policies.server import self_signed

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


def test_an_authority_of_ones_own_is_believed_beside_those_of_the_machine(tmp_path: Path) -> None:
    self_signed(tmp_path)
    usual, with_own = believed({}), believed({"SSL_CERT_FILE": str(tmp_path / "server.pem")})
    assert "127.0.0.1" not in usual
    assert with_own == usual | {"127.0.0.1"}


def test_a_file_of_certificates_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert believed({"SSL_CERT_FILE": str(tmp_path / "none.pem")}) == believed({})


def believed(environment: dict[str, str]) -> set[str]:
    """The names of the authorities that a process believes."""
    program = """
import json
from engines.trust import trust
names = [dict(part[0] for part in one["subject"]) for one in trust().get_ca_certs()]
print(json.dumps([name.get("commonName", name.get("organizationName", "")) for name in names]))
"""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    done = subprocess.run(  # noqa: S603 -- our own
        [sys.executable, "-c", program], env=others | environment, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


async def test_the_tools_of_a_call_load_none_either(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    async with ShopProcess(tmp_path_factory.mktemp("shop") / "shop.sqlite") as shop:
        request.getfixturevalue("loaded")
        async with Toolbox([shop.url]) as box:
            assert box.tools
