"""What the vendor tells, as events of the record; and that nothing it may tell takes a call down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.clock import CallClock
from compliance.events import AgentSaid, CallerSaid, Event, PartFailed, ProviderFailed, SpeechHeard, TurnEnded
from engines.usage import Usage
from service.web import conversation
from service.web.conversation import Conversation
from service.web.listener import Reply, ToolCall

pytestmark = pytest.mark.unit


class Ear:
    """Listens, and remembers."""

    def __init__(self) -> None:
        self.turns: list[tuple[int, str]] = []
        self.over: list[Reply] = []
        self.tools: list[ToolCall] = []
        self.usage: list[tuple[int, Usage]] = []

    def turn_ended(self, *, typed: bool) -> None: ...
    def turn_said(self, turn: int, text: str, start_ms: float, end_ms: float) -> None:
        self.turns.append((turn, text))

    def reply_began(self, reply: Reply) -> None: ...
    def reply_done(self, reply: Reply, tools: Sequence[ToolCall], *, status: str) -> None:
        self.tools += tools

    def reply_over(self, reply: Reply) -> None:
        self.over.append(reply)

    def used(self, turn: int, used: Usage) -> None:
        self.usage.append((turn, used))


class Told:
    """A conversation that is told things at times of the test's choosing."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.ear = Ear()
        self.events: list[Event] = []
        self.conversation = Conversation(
            self.events.append,
            clock=CallClock(monotonic=lambda: self.now_s),
            call_id="a call",
            engine="realtime",
            provider="openai",
            model="gpt-realtime",
            transcribed_by="scribe",
            listener=self.ear,
        )

    def __call__(self, event: str, at_s: float | None = None, **fields: Any) -> None:
        self.now_s = self.now_s if at_s is None else at_s
        self.conversation.take({"type": event, **fields})

    def turn(self, item_id: str = "a") -> None:
        self("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=1000)
        self.now_s += 2.5
        self("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=3000)
        self("input_audio_buffer.committed", item_id=item_id)

    def words(self, text: str, item_id: str = "a", **more: Any) -> None:
        self(f"{TRANSCRIBED}.completed", item_id=item_id, transcript=text, **more)

    def reply(self, text: str, reply_id: str = "r", *, status: str = "completed") -> None:
        self("response.created", response={"id": reply_id})
        self("output_audio_buffer.started", response_id=reply_id)
        content = [{"type": "output_audio", "transcript": text}]
        output = [{"type": "message", "role": "assistant", "content": content}]
        self("response.done", response={"id": reply_id, "status": status, "output": output})

    def kinds(self) -> list[type[Event]]:
        return [type(event) for event in self.events]


TRANSCRIBED = "conversation.item.input_audio_transcription"


def test_a_turn_lasts_as_long_as_the_vendor_heard_it() -> None:
    told = Told()
    told.turn()
    heard, turn = told.events
    assert isinstance(heard, SpeechHeard)
    assert isinstance(turn, TurnEnded)
    assert (heard.start_ms, heard.end_ms) == (turn.start_ms, turn.end_ms) == (0.0, 2000.0)


def test_words_that_are_known_after_the_reply_are_on_record_before_it() -> None:
    told = Told()
    told.turn()
    told.reply("Certainly.")
    told("output_audio_buffer.stopped", response_id="r")
    assert AgentSaid not in told.kinds()
    told.words("help me", logprobs=[{"logprob": 0.0}])
    assert [kind for kind in told.kinds() if kind in (CallerSaid, AgentSaid)] == [CallerSaid, AgentSaid]
    assert told.ear.turns == [(1, "help me")]


def test_words_that_never_come_hold_the_record_up_only_so_long() -> None:
    told = Told()
    told.turn()
    told.reply("Certainly.")
    told(
        "output_audio_buffer.stopped", at_s=told.now_s + conversation.PATIENCE_MS / 1000 + 1, response_id="r"
    )
    assert AgentSaid in told.kinds()


@pytest.mark.parametrize(("ending", "interrupted"), [("stopped", False), ("cleared", True)])
def test_a_reply_that_the_caller_cuts_is_on_record_as_cut(ending: str, interrupted: bool) -> None:
    told = Told()
    told.reply("Certainly.")
    told(f"output_audio_buffer.{ending}", response_id="r")
    (said,) = [event for event in told.events if isinstance(event, AgentSaid)]
    assert said.interrupted is interrupted


def test_a_reply_of_which_nothing_is_told_but_its_words_is_on_record_when_the_call_goes_on() -> None:
    told = Told()
    told("response.created", response={"id": "r"})
    content = [{"type": "output_audio", "transcript": "Certainly."}]
    output = [{"type": "message", "content": content}]
    told("response.done", response={"id": "r", "status": "completed", "output": output})
    assert AgentSaid not in told.kinds()
    told.turn()
    (said,) = [event for event in told.events if isinstance(event, AgentSaid)]
    assert (said.text, said.interrupted) == ("Certainly.", False)
    assert [reply.sent for reply in told.ear.over] == [False], "it proves no disclosure"


def test_what_the_vendor_could_not_make_out_is_on_record_as_that() -> None:
    told = Told()
    told.turn()
    told(f"{TRANSCRIBED}.failed", item_id="a", error={"code": "audio_unintelligible", "message": "my PIN"})
    (failed,) = [event for event in told.events if isinstance(event, PartFailed)]
    assert (failed.part, failed.error) == ("transcriber", "audio_unintelligible")
    assert told.ear.turns == [(1, "")], "the policy is asked all the same"
    assert "PIN" not in str(told.events)


def test_tools_are_wanted_only_by_a_reply_that_was_completed() -> None:
    told = Told()
    item = {"type": "function_call", "call_id": "c", "name": "order_lookup", "arguments": "{}"}
    for status in ("cancelled", "completed"):
        told("response.created", response={"id": status})
        told("response.done", response={"id": status, "status": status, "output": [item]})
    assert told.ear.tools == [ToolCall("c", "order_lookup", "{}")]


def test_cached_tokens_are_billed_once_and_the_transcript_by_its_own_model() -> None:
    told = Told()
    told("response.created", response={"id": "r"})
    details = {
        "text_tokens": 100,
        "audio_tokens": 50,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0},
    }
    usage = {"input_token_details": details, "output_token_details": {"text_tokens": 5, "audio_tokens": 20}}
    told("response.done", response={"id": "r", "status": "completed", "usage": usage})
    told.turn()
    told.words("hello", usage={"type": "duration", "seconds": 30})
    (_, reply), (turn, words) = told.ear.usage
    assert reply.quantities == {
        "input_text_tokens": 36.0,
        "cached_text_tokens": 64.0,
        "input_audio_tokens": 50.0,
        "output_text_tokens": 5.0,
        "output_audio_tokens": 20.0,
    }
    assert (turn, words.model, words.quantities) == (1, "scribe", {"audio_minutes": 0.5})


def test_what_was_missed_while_nobody_watched_is_waited_for_no_longer() -> None:
    told = Told()
    told.turn()
    told.reply("Certainly.")
    told.conversation.lost()
    assert [kind for kind in told.kinds() if kind in (AgentSaid, PartFailed)] == [AgentSaid, PartFailed]
    told("output_audio_buffer.stopped", response_id="r")
    told.words("late")
    assert [event.text for event in told.events if isinstance(event, CallerSaid)] == ["late"]


NAMES = st.sampled_from(
    [
        "id",
        "item",
        "item_id",
        "response",
        "response_id",
        "output",
        "content",
        "usage",
        "error",
        "type",
        "role",
        "status",
        "text",
        "transcript",
        "metadata",
        "name",
        "audio_start_ms",
        "audio_end_ms",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*sorted(conversation._HANDLERS), "unheard.of"]),
            st.dictionaries(st.sampled_from(["item_id", "item", "response", "response_id", "error"]), JSON),
        ),
        max_size=8,
    )
)
def test_whatever_the_vendor_sends_the_call_goes_on(events: list[tuple[str, dict[str, Any]]]) -> None:
    told = Told()
    for kind, fields in events:
        told(kind, **fields)
    told.conversation.lost()


def test_an_event_that_is_not_as_documented_is_on_record_by_its_error_alone() -> None:
    told = Told()
    told("response.done", response={"my card is": "4111 1111 1111 1111"})
    (failed,) = told.events
    assert isinstance(failed, ProviderFailed)
    assert failed.error == "KeyError"
    assert "4111" not in failed.model_dump_json()
