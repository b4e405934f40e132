"""One connection to Gemini Live: LiveKit's plugin, made to give exactly one generation for a turn.

The plugin's ``generate_reply`` ends an activity *and* completes a turn of client content, which the service
answers twice. Here a turn, heard or written, is one activity and nothing else (*Live API capabilities*: with
automatic activity detection off, the client sends the activity's start and end), and the history is client
content that is sent once, before the first turn: later models take it at no other time.

The plugin's private parts that this leans on are used in this module only, and ``tests/conformance/
test_gemini_live.py`` holds them against the plugin as it is installed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.genai import types
from livekit.agents import NOT_GIVEN, NotGivenOr, llm
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.plugins.google.log import logger as plugins_log
from livekit.plugins.google.realtime import realtime_api as plugin
from livekit.plugins.google.utils import get_tool_results_for_realtime

Reply = asyncio.Future[llm.GenerationCreatedEvent]
_HEARD_AS = f"audio/pcm;rate={plugin.INPUT_AUDIO_SAMPLE_RATE}"


class _ByName(logging.Filter):
    """Logs errors by their names: google-genai quotes the message that it cannot read, and with it the caller."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            error = record.exc_info[1] if record.exc_info else None
            what = record.getMessage().partition(":")[0]
            record.msg = what if error is None else f"{what}: {type(error).__name__}"
            record.args = record.exc_info = record.exc_text = None
        return True


plugins_log.addFilter(_ByName())
logging.getLogger("websockets.client").setLevel(logging.INFO)  # below that it logs every frame, words and all


@dataclass(slots=True)
class LinkHooks:
    """What a session wants to know of its connections."""

    generated: Callable[[Link, llm.GenerationCreatedEvent], None]
    done: Callable[[Link, str, str], None]
    """A generation is over; its id and the words that were sent of it."""
    heard: Callable[[Link, str, bool], None]
    """What the service itself heard of the turn, and whether that is all."""
    measured: Callable[[Link, RealtimeModelMetrics], None]
    ending: Callable[[Link], None]
    """The service says that it will close the connection soon."""
    lost: Callable[[Link, Exception], None]
    """The connection is gone for good."""


class Link(plugin.RealtimeSession):
    """Connects when it is made; what is asked before it is there is sent as soon as it is.

    Args:
        model: the plugin's model.
        instructions: of the session; they cannot be changed.
        tools: of the session; they cannot be changed either.
        hooks: told of what happens.
    """

    def __init__(
        self, model: plugin.RealtimeModel, instructions: str, tools: Sequence[llm.Tool], hooks: LinkHooks
    ) -> None:
        super().__init__(model)
        self._opts = replace(self._opts, instructions=instructions or NOT_GIVEN)
        self._tools = llm.ToolContext([*tools])
        self._hooks = hooks
        self.known: dict[str, str] = {}
        """The messages that the service knows, by id: their text, empty where it heard them."""
        self.used = False
        """Whether a turn was asked of it: its history is given then, and can only go on from there."""
        self.waiting: set[str] = set()
        """The calls of tools that the service waits for the results of."""
        self.ending = False
        self.busy = False
        """Whether the service works on a reply, or assumes that it is still being played."""
        self.settled = asyncio.Event()
        """Set whenever a reply is complete, and billed."""
        self.on("generation_created", lambda event: hooks.generated(self, event))
        self.on("metrics_collected", lambda event: hooks.measured(self, event))
        self.on(
            "input_audio_transcription_completed",
            lambda event: hooks.heard(self, event.transcript, event.is_final),
        )
        self.on("error", lambda event: hooks.lost(self, event.error))

    @property
    def connected(self) -> bool:
        return self._active_session is not None

    # -- what it is told -------------------------------------------------------------------------------
    def seed(self, history: llm.ChatContext) -> None:
        """Give the service the conversation so far; once, before the first turn."""
        self.used = True
        self.known = {item.id: item.text_content or "" for item in history.messages()}
        turns, _ = history.copy(exclude_function_call=True).to_provider_format(
            format="google", inject_dummy_user_message=False
        )
        if turns or self._history_first:
            self._send_client_event(
                types.LiveClientContent(
                    turns=[types.Content.model_validate(turn) for turn in turns],
                    turn_complete=self._history_first,
                )
            )

    def ask_heard(self, pieces: Sequence[bytes]) -> Reply:
        """Ask for the reply to a turn of the caller's audio: 16 kHz, int16, mono."""
        inputs = [
            types.LiveClientRealtimeInput(audio=types.Blob(data=piece, mime_type=_HEARD_AS))
            for piece in pieces
        ]
        return self._ask(inputs)

    def ask_written(self, text: str) -> Reply:
        """Ask for the reply to a turn in writing."""
        return self._ask([types.LiveClientRealtimeInput(text=text)])

    def answer(self, outputs: llm.ChatContext) -> Reply:
        """Give the results of tools; the service goes on by itself."""
        self.waiting.clear()
        results = get_tool_results_for_realtime(
            outputs, vertexai=self._opts.vertexai, synthetic_call_ids=self._synthetic_call_ids
        )
        if results is not None:
            self._send_client_event(results)
        return self._awaited()

    def _ask(self, inputs: Sequence[types.LiveClientRealtimeInput]) -> Reply:
        self._send_client_event(types.LiveClientRealtimeInput(activity_start=types.ActivityStart()))
        for each in inputs:
            self._send_client_event(each)
        self._send_client_event(types.LiveClientRealtimeInput(activity_end=types.ActivityEnd()))
        return self._awaited()

    def _awaited(self) -> Reply:
        reply: Reply = asyncio.get_running_loop().create_future()
        self._pending_generation_fut = reply
        self.busy = True
        self.settled.clear()
        return reply

    def stop(self) -> None:
        """Cut the reply: an activity that begins interrupts it. Nobody waits for the reply any longer."""
        asked = self._pending_generation_fut
        if asked is not None and not asked.done():
            asked.set_exception(llm.RealtimeError("the connection was left", code="session_lost"))
            asked.exception()  # whoever asked may be gone
        if self.busy:
            self.start_user_activity()

    # -- what it makes of the plugin -------------------------------------------------------------------
    @property
    def _history_first(self) -> bool:
        """Whether the model takes its history as such, without a reply to it: since Gemini 3."""
        version = re.search(r"\d+", self._opts.model)
        return version is None or int(version[0]) >= 3

    def _build_connect_config(self) -> types.LiveConnectConfig:
        config = super()._build_connect_config()
        generation, config.generation_config = config.generation_config, None
        if generation is not None:  # google-genai has these fields moved, and warns
            for name in generation.model_fields_set & set(types.LiveConnectConfig.model_fields):
                setattr(config, name, getattr(generation, name))
        config.session_resumption = None  # the conversation as the caller heard it is ours to restore
        if self._history_first:
            config.history_config = types.HistoryConfig(initial_history_in_client_content=True)
        return config

    def _is_new_generation(self, resp: types.LiveServerMessage) -> bool:
        content = resp.server_content
        if content is not None and not content.model_turn and self._pending_generation_fut is None:
            return False  # a transcript that is late: the plugin would take the next reply for its end
        return super()._is_new_generation(resp)

    def _handle_server_content(self, server_content: types.LiveServerContent) -> None:
        super()._handle_server_content(server_content)
        begun = self._pending_generation_fut is None or self._pending_generation_fut.done()
        if begun and (server_content.generation_complete or server_content.turn_complete):
            self._over(complete=bool(server_content.turn_complete))

    def _handle_tool_calls(self, tool_call: types.LiveServerToolCall) -> None:
        super()._handle_tool_calls(tool_call)
        self.waiting |= {call.id for call in tool_call.function_calls or () if call.id}
        self._over(complete=True)

    def _over(self, *, complete: bool) -> None:
        """All is there of the reply; ``complete``: and the service thinks that it was played."""
        if complete:
            self.busy = False
            self.settled.set()
        if (generation := self._current_generation) is not None:
            self._hooks.done(self, generation.response_id, generation.output_text)

    def _handle_usage_metadata(self, usage_metadata: types.UsageMetadata) -> None:
        super()._handle_usage_metadata(whole(usage_metadata))

    def _handle_go_away(self, go_away: types.LiveServerGoAway) -> None:
        self.ending = True  # the plugin would cut the reply in hand
        self._hooks.ending(self)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN, **_: Any) -> None:
        self._opts.tool_choice = tool_choice


def whole(usage: types.UsageMetadata) -> types.UsageMetadata:
    """The same with every billed token in a modality, which the service's details leave out some of.

    Thoughts are billed as text that was made, and are in no detail; nor are some of the prompt's tokens.
    """
    prompt = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    made = (usage.response_token_count or 0) + (usage.thoughts_token_count or 0)
    return usage.model_copy(
        update={
            "prompt_token_count": prompt,
            "response_token_count": made,
            "prompt_tokens_details": _with_rest(usage.prompt_tokens_details, prompt),
            "response_tokens_details": _with_rest(usage.response_tokens_details, made),
            "cache_tokens_details": _with_rest(
                usage.cache_tokens_details, usage.cached_content_token_count or 0
            ),
        }
    )


def _with_rest(
    details: Sequence[types.ModalityTokenCount] | None, total: int
) -> list[types.ModalityTokenCount]:
    listed = [*(details or ())]
    rest = total - sum(one.token_count or 0 for one in listed)
    text = types.ModalityTokenCount(modality=types.MediaModality.TEXT, token_count=rest)
    return [*listed, text] if rest > 0 else listed
