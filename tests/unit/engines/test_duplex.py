"""Full-duplex engines in the catalogue, and what becomes of their metrics and errors."""

import asyncio
from typing import Any

import pytest
from livekit.agents import APIConnectionError, llm
from livekit.agents.metrics import RealtimeModelMetrics

from engines.catalogue import Catalogue
from engines.duplex import DuplexModel, FullDuplex
from engines.usage import usage
from engines.watch import SilenceWatch
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
    def generate_reply(self, **_: Any) -> Any:
        return asyncio.get_running_loop().create_future()

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


def generation() -> llm.GenerationCreatedEvent:
    nothing: Any = None
    return llm.GenerationCreatedEvent(message_stream=nothing, function_stream=nothing, user_initiated=False)


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


def heard(text: str, *, whole: bool) -> llm.InputTranscriptionCompleted:
    return llm.InputTranscriptionCompleted(
        item_id="speech", transcript=text, is_final=whole, turn_started_at=7.0
    )


def test_words_of_a_turn_that_is_not_whole_are_not_lost_with_the_engine_that_heard_them() -> None:
    inner, history = Model(), llm.ChatContext.empty()
    model = DuplexModel(inner, provider="openai", on_metrics=lambda event: None)
    engines = FullDuplex({"live": model})
    model.session()
    inner.opened[0].emit("input_audio_transcription_completed", heard("get me a", whole=False))
    engines.keep_words("live", history)
    engines.keep_words("live", history)
    [said] = history.items
    assert isinstance(said, llm.ChatMessage)
    assert (said.id, said.role, said.text_content, said.created_at) == ("speech", "user", "get me a", 7.0)


def test_a_whole_turn_is_the_frameworks_to_write_down() -> None:
    inner, history = Model(), llm.ChatContext.empty()
    model = DuplexModel(inner, provider="openai", on_metrics=lambda event: None)
    model.session()
    for whole in (False, True):
        inner.opened[0].emit("input_audio_transcription_completed", heard("get me a person", whole=whole))
    FullDuplex({"live": model}).keep_words("live", history)
    assert history.items == []


class Desk:
    """As much of a desk as a full-duplex engine asks that breaks off."""

    def __init__(self, *, owes_an_answer: bool) -> None:
        self.engine = "live"
        self.owes_an_answer = owes_an_answer
        self.recovery = self
        self.did: list[str] = []

    def asked_again(self, engine: str, provider: str, error: Exception) -> None:
        self.did.append(f"{engine} of {provider}: {type(error).__name__}")

    def ask_again(self) -> None:
        self.did.append("asked again")


def broken_off(desk: Any) -> None:
    """The connection of the engine in charge breaks, and the plugin opens another."""
    inner = Model()
    model = DuplexModel(inner, provider="openai", on_metrics=lambda event: None)
    engines = FullDuplex({"live": model})
    engines.attach(desk, SilenceWatch(60.0, paused=lambda: False, expired=lambda: None))
    model.session()
    inner.opened[0].emit("error", failure(recoverable=True))
    inner.opened[0].emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())


def test_an_answer_that_breaks_off_with_the_connection_is_asked_for_on_the_next() -> None:
    desk = Desk(owes_an_answer=True)
    broken_off(desk)
    assert desk.did == ["live of openai: APIConnectionError", "asked again"]


def test_a_connection_that_breaks_while_nobody_waits_is_nobodys_concern() -> None:
    desk = Desk(owes_an_answer=False)
    broken_off(desk)
    assert desk.did == []


async def test_a_reply_that_begins_with_a_tool_is_the_one_that_was_asked_for() -> None:
    inner, told = Model(), []
    session = DuplexModel(inner, provider="openai", on_metrics=lambda event: None).session()
    session.on("generation_created", told.append)
    asked = session.generate_reply()
    by_tool, by_itself = generation(), generation()
    inner.opened[0].emit("generation_created", by_tool)
    inner.opened[0].emit("generation_created", by_itself)
    assert asked.result() is by_tool
    assert told == [by_itself]


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
