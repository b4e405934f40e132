"""The real ``openai.DecisionModel`` plugin against the lab's decisions endpoint."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    llm,
)
from livekit.agents.llm.decisions import ChoiceResult, Decision, DecisionResponse, ScoreResult
from livekit.agents.metrics import DecisionMetrics
from livekit.plugins import openai

from lab.delays import Delay, Delays
from lab.faults import Fault, Kind
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=30.0)
FED_UP = "agent: How can I help?\ncaller: This is a complaint, get me your manager"
YES_NO = {
    "complains": llm.Probability("The caller makes a complaint."),
    "manager": llm.Probability("The caller complains and asks for a manager."),
    "pays": llm.Probability("The caller offers a payment."),
}


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=ToneVoices()) as running:
        yield running


async def ask(
    lab: Lab,
    decisions: Mapping[str, Decision] = YES_NO,
    input: str | llm.ChatContext = FED_UP,
    options: APIConnectOptions = ONCE,
) -> DecisionResponse:
    plugin = openai.DecisionModel(base_url=lab.openai_url, api_key="lab")
    try:
        return await plugin.evaluate(input=input, decisions=decisions, conn_options=options)
    finally:
        await plugin.aclose()


def probabilities(response: DecisionResponse) -> dict[str, float]:
    return {name: result.value for name, result in response.results.items() if result.kind == "probability"}


async def test_a_question_is_truer_the_more_of_its_words_were_said(lab: Lab) -> None:
    values = probabilities(await ask(lab))
    assert values == {"complains": 0.715, "manager": 0.914, "pays": 0.05}


async def test_equal_requests_get_equal_answers(lab: Lab) -> None:
    assert probabilities(await ask(lab)) == probabilities(await ask(lab))


async def test_the_journal_holds_what_was_asked(lab: Lab) -> None:
    await ask(lab)
    (entry,) = lab.context.journal.of("openai.decisions", "decisions")
    assert entry.payload["input"] == FED_UP
    assert [question["name"] for question in entry.payload["questions"]] == ["complains", "manager", "pays"]


async def test_a_conversation_is_judged_as_its_transcript(lab: Lab) -> None:
    chat = llm.ChatContext.empty()
    chat.add_message(role="system", content="Judge for a manager.")
    chat.add_message(role="assistant", content="How can I help?")
    chat.add_message(role="user", content="This is a complaint")
    assert probabilities(await ask(lab, input=chat)) == {"complains": 0.715, "manager": 0.715, "pays": 0.05}


async def test_a_choice_is_the_option_whose_words_were_said(lab: Lab) -> None:
    options = {"refund": "money back", "complaint": "a complaint to a manager", "other": "anything else"}
    response = await ask(lab, {"topic": llm.Choice("What is this about?", options)})
    result = response.results["topic"]
    assert isinstance(result, ChoiceResult)
    assert result.value == "complaint"
    assert result.probabilities is not None
    assert sum(result.probabilities.values()) == pytest.approx(1)


async def test_a_score_is_the_expected_level(lab: Lab) -> None:
    levels = ["content", "annoyed", "makes a complaint to the manager"]
    response = await ask(lab, {"mood": llm.Score("How is the caller?", levels)})
    result = response.results["mood"]
    assert isinstance(result, ScoreResult)
    assert 1 < result.value < 2
    assert result.levels == levels


async def test_a_question_that_is_declined_leaves_the_others_answered(lab: Lab) -> None:
    response = await ask(lab, {**YES_NO, "faith": llm.Probability("What is the caller's religion?")})
    assert set(response.results) == set(YES_NO)
    assert response.errors == {"faith": "the model declined this decision"}


async def test_tokens_in_and_out_are_billed_and_told_as_metrics(lab: Lab) -> None:
    told: list[DecisionMetrics] = []
    plugin = openai.DecisionModel(base_url=lab.openai_url, api_key="lab")
    plugin.on("metrics_collected", told.append)
    response = await plugin.evaluate(input=FED_UP, decisions=YES_NO, conn_options=ONCE)
    await plugin.aclose()
    assert response.request_id.startswith("req_")
    assert response.input_tokens is not None
    assert response.input_tokens > 30
    assert [(each.input_tokens, each.output_tokens) for each in told] == [
        (response.input_tokens, response.output_tokens)
    ]


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("server_error", 500)])
async def test_an_error_status_reaches_the_plugin_as_such(lab: Lab, kind: Kind, status: int) -> None:
    lab.context.faults.set("openai.decisions", Fault(kind))
    with pytest.raises(APIStatusError) as caught:
        await ask(lab)
    assert caught.value.status_code == status


@pytest.mark.parametrize("kind", ["refuse", "drop"])
async def test_a_lost_connection_is_a_connection_error(lab: Lab, kind: Kind) -> None:
    lab.context.faults.set("openai.decisions", Fault(kind))
    with pytest.raises(APIConnectionError):
        await ask(lab)


async def test_a_malformed_answer_is_an_error_that_is_not_tried_again(lab: Lab) -> None:
    lab.context.faults.set("openai.decisions", Fault("malformed"))
    with pytest.raises(APIError) as caught:
        await ask(lab)
    assert not caught.value.retryable


async def test_a_model_that_hangs_is_given_up_after_the_time_it_has(lab: Lab) -> None:
    lab.context.faults.set("openai.decisions", Fault("hang"))
    with pytest.raises(APITimeoutError):
        await ask(lab, options=APIConnectOptions(max_retry=0, timeout=0.05))


async def test_a_request_that_is_given_up_while_the_model_thinks_is_noted() -> None:
    slow = LabSettings(Delays(llm_ttft=Delay(60_000, 60_000)))
    async with Lab(slow, hearing=GivenHearing(), voices=ToneVoices()) as lab:
        asked = asyncio.create_task(ask(lab))
        await lab.context.journal.until("openai.decisions", "decisions")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await lab.context.journal.until("openai.decisions", "lab.disconnected")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"input": "hello", "model": "m"},
        {"input": "hello", "model": "m", "questions": []},
        {"input": "hello", "questions": [{"type": "predicate", "instructions": "?"}]},
        {"input": "hello", "model": "m", "questions": [{"type": "predicate"}]},
        {"input": "hello", "model": "m", "questions": [{"type": "essay", "instructions": "?"}]},
        {"input": "hello", "model": "m", "questions": [{"type": "predicate", "instructions": "?"}] * 401},
    ],
)
async def test_a_request_that_says_nothing_is_refused_with_the_reason(lab: Lab, body: object) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{lab.openai_url}/decisions", json=body) as answer,
    ):
        assert answer.status == 400
        assert "cannot be read" in (await answer.json())["error"]["message"]
