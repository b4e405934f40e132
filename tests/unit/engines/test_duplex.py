"""Full-duplex engines in the catalogue, and what becomes of their metrics and errors."""

from typing import Any

import pytest
from livekit.agents import APIConnectionError, llm
from livekit.agents.metrics import RealtimeModelMetrics

from engines.catalogue import Catalogue
from engines.duplex import DuplexModel
from engines.usage import usage
from policies import DocumentError

pytestmark = pytest.mark.unit

CATALOGUE = """\
version: 1
greeting: Hello.
instructions: Be brief.
transcriber: {plugin: deepgram, model: nova-3}
voices:
  house: {plugin: elevenlabs, model: flash}
engines:
  fast: {kind: cascade, model: {plugin: openai, model: gpt-4.1-nano}, voices: [house]}
  live: {kind: KIND, model: {plugin: openai, model: MODEL}}
"""


def engine_of(kind: str, model: str) -> Catalogue:
    return Catalogue.parse(CATALOGUE.replace("KIND", kind).replace("MODEL", model), file="engines.yaml")


def test_a_full_duplex_engine_has_a_model_and_no_voice_of_ours() -> None:
    engine = engine_of("duplex", "gpt-live-1").engines["live"]
    assert (engine.kind, engine.mind.model, engine.voices) == ("duplex", "gpt-live-1", ())


@pytest.mark.parametrize(
    ("kind", "model", "complaint"),
    [
        ("realtime", "gpt-live-1", "engines.yaml:9:16: the model takes turns by itself"),
        (
            "duplex",
            "gpt-realtime",
            "engines.yaml:9:16: gpt-realtime does not hear and speak at the same time",
        ),
    ],
)
def test_its_kind_and_its_model_have_to_fit(kind: str, model: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        engine_of(kind, model)
    assert str(caught.value).startswith(complaint)


class Session(llm.RealtimeSession[Any]):
    """A session that does nothing but tell."""

    chat_ctx = llm.ChatContext.empty()  # type: ignore[assignment]
    tools = llm.ToolContext.empty()  # type: ignore[assignment]

    async def update_instructions(self, instructions: str) -> None: ...
    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None: ...
    async def update_tools(self, tools: list[llm.Tool]) -> None: ...
    def update_options(self, **_: Any) -> None: ...
    def push_audio(self, frame: Any) -> None: ...
    def push_video(self, frame: Any) -> None: ...
    def generate_reply(self, **_: Any) -> Any: ...
    def commit_audio(self) -> None: ...
    def clear_audio(self) -> None: ...
    def interrupt(self) -> None: ...
    def truncate(self, **_: Any) -> None: ...
    async def aclose(self) -> None: ...


class Model(llm.RealtimeModel):
    def __init__(self) -> None:
        super().__init__(
            capabilities=llm.RealtimeCapabilities(
                message_truncation=False,
                turn_detection=True,
                user_transcription=True,
                auto_tool_reply_generation=True,
                audio_output=True,
                manual_function_calls=False,
            )
        )
        self.opened: list[Session] = []

    def session(self, *, turn_detection_disabled: bool = False) -> Session:
        self.opened.append(Session(self))
        return self.opened[-1]

    async def aclose(self) -> None: ...


def failure(*, recoverable: bool) -> llm.RealtimeModelError:
    return llm.RealtimeModelError(
        timestamp=0.0, label="model", error=APIConnectionError("gone"), recoverable=recoverable
    )


def test_an_error_that_ends_its_session_is_ours_to_handle_and_not_the_frameworks() -> None:
    inner, lost, told = Model(), [], []
    model = DuplexModel(inner, provider="openai", on_metrics=lambda event: None)
    model.on_lost = lost.append
    model.session().on("error", told.append)

    inner.opened[0].emit("error", failure(recoverable=True))
    assert lost == []
    inner.opened[0].emit("error", failure(recoverable=False))
    assert [type(error) for error in lost] == [APIConnectionError]
    assert told == []


def test_a_session_that_is_paid_by_its_length_is_billed_by_the_minute() -> None:
    inner, seen = Model(), []
    DuplexModel(inner, provider="openai", on_metrics=seen.append).session()
    inner.opened[0].emit(
        "metrics_collected",
        RealtimeModelMetrics(
            label="live",
            request_id="live_1",
            timestamp=0.0,
            session_duration=90.0,
            input_token_details=RealtimeModelMetrics.InputTokenDetails(),
            output_token_details=RealtimeModelMetrics.OutputTokenDetails(),
        ),
    )
    used = usage(seen[0])
    assert used is not None
    assert used.quantities == {"audio_minutes": 1.5}
