"""The lab as a server: its addresses, its control endpoints, its settings, and the process it can be."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from lab.delays import Delays
from lab.errors import LabError
from lab.faults import Fault
from lab.process import LabProcess
from lab.server import Lab, LabSettings, main
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.unit


def quiet_lab() -> Lab:
    return Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=ToneVoices())


async def test_a_lab_has_an_address_for_every_vendor_only_while_it_runs() -> None:
    lab = quiet_lab()
    with pytest.raises(LabError, match="not running"):
        _ = lab.url
    async with lab:
        assert lab.url.startswith("http://127.0.0.1:")
        assert lab.stand_ins["openai"] == lab.openai_url == f"{lab.url}/v1"
        assert lab.deepgram_url == f"{lab.url}/deepgram/v1/listen"
        assert lab.elevenlabs_url == f"{lab.url}/elevenlabs/v1"


async def test_what_is_being_answered_can_be_cut_off_by_path() -> None:
    async with quiet_lab() as lab, aiohttp.ClientSession() as http:
        url = f"{lab.url}/v1/realtime?model=gpt-realtime"
        async with http.ws_connect(url) as realtime:
            assert (await realtime.receive_json())["type"] == "session.created"
            assert lab.cut("/elevenlabs") == 0
            assert lab.cut("/v1/realtime") == 1
            assert (await realtime.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_a_realtime_session_ends_when_its_time_is_up() -> None:
    settings = LabSettings(Delays.none(), session_limit_s=0.05)
    async with (
        Lab(settings, hearing=GivenHearing(), voices=ToneVoices()) as lab,
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{lab.url}/v1/realtime?model=gpt-realtime") as realtime,
    ):
        assert (await realtime.receive_json())["type"] == "session.created"
        assert (await realtime.receive_json())["error"]["code"] == "session_expired"
        assert (await realtime.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_two_labs_live_side_by_side() -> None:
    async with quiet_lab() as one, quiet_lab() as other:
        assert one.url != other.url


async def test_faults_are_switched_and_the_journal_read_over_http() -> None:
    async with quiet_lab() as lab, aiohttp.ClientSession(lab.url) as http:
        async with http.put("/lab/faults/openai.chat", json={"kind": "drop", "times": 2}) as response:
            assert response.status == 200
        assert lab.context.faults.peek("openai.chat") == Fault("drop", times=2)
        async with http.delete("/lab/faults/openai.chat") as response:
            assert response.status == 200
        assert lab.context.faults.peek("openai.chat") is None
        lab.context.journal.record("deepgram", "c", "KeepAlive", {"x": 1})
        lab.context.journal.record("elevenlabs", "d", "text")
        async with http.get("/lab/journal?provider=elevenlabs&after=1") as response:
            answer = await response.json()
        assert answer["next"] == 2
        assert [entry["name"] for entry in answer["entries"]] == ["text"]


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/lab/faults/openai", b'{"kind": "drop"}', "unknown provider 'openai'"),
        ("/lab/faults/deepgram", b'{"kind": "explode"}', "unknown fault 'explode'"),
        ("/lab/faults/deepgram", b"{", "Expecting property name"),
        ("/lab/faults/deepgram", b"[]", "not a fault"),
    ],
)
async def test_a_bad_fault_is_refused_with_the_reason(path: str, body: bytes, complaint: str) -> None:
    async with (
        quiet_lab() as lab,
        aiohttp.ClientSession(lab.url) as http,
        http.put(path, data=body) as response,
    ):
        assert response.status == 400
        assert complaint in (await response.json())["error"]


async def test_a_port_that_is_taken_leaves_nothing_running() -> None:
    async with quiet_lab() as lab:
        port = int(lab.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            async with Lab(LabSettings(port=port), hearing=GivenHearing(), voices=ToneVoices()):
                pass


async def test_a_lab_of_its_own_process_is_controlled_from_here_and_ends_with_us() -> None:
    async with LabProcess(LabSettings(Delays.none(), ears=1)) as lab:
        assert (await lab.health())["delays"] == Delays.none().describe()
        await lab.set_fault("openai.chat", Fault("rate_limited", times=1))
        async with aiohttp.ClientSession() as http:
            url = f"{lab.openai_url}/chat/completions"
            body = {"messages": [{"role": "user", "content": "goodbye"}]}
            async with http.post(url, json=body) as response:
                assert response.status == 429
            async with http.post(url, json=body) as response:
                assert response.status == 200
        assert [e.name for e in await lab.journal(provider="openai.chat")] == ["chat.completions"] * 2
        with pytest.raises(LabError, match="unknown provider"):
            await lab.set_fault("nobody", Fault("drop"))  # type: ignore[arg-type]
        await lab.clear_faults()
        process = lab._process
    assert process is not None
    assert process.returncode == 0


async def test_a_terminated_process_stops_cleanly() -> None:
    async with LabProcess(LabSettings(ears=1)) as lab:
        process = lab._process
        assert process is not None
        process.terminate()
        assert await process.wait() == 0


async def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    scenario = tmp_path / "bad.yaml"
    await asyncio.to_thread(scenario.write_text, "rules: 3\n")
    with pytest.raises(LabError, match=r"status 1; it said: .*bad.yaml:1:8: must be a list"):
        async with LabProcess(LabSettings(scenario=scenario)):
            pass


def test_bad_settings_are_explained_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--delays", "sst=1"]) == 1
    assert "unknown stage 'sst'" in capsys.readouterr().err
