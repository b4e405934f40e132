"""The lab speaks TLS beside HTTP, with a certificate of its own."""

import ssl

import aiohttp
import pytest

from lab.delays import Delays
from lab.errors import LabError
from lab.process import LabProcess
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.unit


def quiet_lab() -> Lab:
    return Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=ToneVoices())


async def test_the_same_lab_answers_under_both_addresses() -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with quiet_lab() as lab, aiohttp.ClientSession() as http:
        assert lab.stand_ins["google"] == lab.google_url
        assert lab.google_url.startswith("https://127.0.0.1:")
        for url, context in ((lab.url, False), (lab.google_url, trusting)):
            async with http.get(f"{url}/lab/health", ssl=context) as response:
                assert (await response.json())["simulated"] is True


async def test_nobody_vouches_for_its_certificate() -> None:
    async with quiet_lab() as lab, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"{lab.google_url}/lab/health")


async def test_a_lab_of_its_own_process_tells_both_addresses() -> None:
    async with LabProcess(LabSettings(Delays.none(), ears=1)) as lab:
        assert lab.google_url.startswith("https://127.0.0.1:")
        assert lab.google_url.rsplit(":", 1) != lab.url.rsplit(":", 1)


def test_a_lab_that_does_not_run_has_no_address() -> None:
    with pytest.raises(LabError, match="not running"):
        _ = quiet_lab().google_url
