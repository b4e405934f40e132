"""The session that a browser's call to OpenAI Realtime has, as we set it up. Pure.

Source: OpenAI, *Realtime API with WebRTC* and the types of the ``openai`` package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import llm
from openai.types.realtime import RealtimeSessionCreateRequestParam

from engines.catalogue import Catalogue, EngineSpec
from engines.keys import may_have
from engines.plugins import OWN_TRANSCRIPT

TRANSCRIBED_BY = "gpt-4o-mini-transcribe"
"""The vendor's model that writes down what the caller says, unless the engine's ``own_transcript`` names another."""
PLUGIN = "openai"
"""Whose engines can be called directly."""
SILENCE_MS = 500
"""The vendor's own default: no turn detection of ours runs here, and endpointing hints of a policy do nothing."""
GOODBYE = "I am sorry, I cannot go on with this call here. Please reach us another way. Goodbye."
WRAP_UP = "The call has to end soon: say so now, in one sentence, and bring it to a close."


def direct_engine(catalogue: Catalogue, name: str) -> EngineSpec | None:
    """The engine that browsers call: the one of this name, or the first that can be; ``None`` when there is none.

    It is one that OpenAI itself answers: open servers that speak its protocol take no calls by WebRTC.
    """
    fitting = [
        engine
        for engine in catalogue.engines.values()
        if engine.kind == "realtime"
        and engine.mind.plugin == PLUGIN
        and may_have(engine.mind.base_url, "OPENAI_API_KEY")
        and name in ("", engine.name)
    ]
    return fitting[0] if fitting else None


def transcribed_by(engine: EngineSpec) -> str:
    """The model that writes down what the caller says."""
    return str(engine.mind.options.get(OWN_TRANSCRIPT, TRANSCRIBED_BY))


def session_of(
    engine: EngineSpec, *, instructions: str, tools: Sequence[llm.RawFunctionTool[..., Any]], language: str
) -> RealtimeSessionCreateRequestParam:
    """What the vendor is asked for.

    Args:
        engine: whose model and voice it has.
        instructions: to the model; a page can read them, so they hold no secret.
        tools: they run here, never in the page.
        language: BCP 47 tag of the line's language; a hint to who writes the caller's words down.
    """
    return {
        "type": "realtime",
        "model": engine.mind.model,
        "output_modalities": ["audio"],
        "instructions": instructions,
        "tools": [
            {
                "type": "function",
                "name": tool.id,
                "description": str(tool.info.raw_schema.get("description") or ""),
                "parameters": tool.info.raw_schema["parameters"],
            }
            for tool in tools
        ],
        "tool_choice": "auto",
        "include": ["item.input_audio_transcription.logprobs"],
        "audio": {
            "input": {
                "transcription": {"model": transcribed_by(engine), "language": language.partition("-")[0]},
                "turn_detection": {
                    "type": "server_vad",
                    "silence_duration_ms": SILENCE_MS,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"voice": str(engine.mind.options.get("voice", "marin"))},
        },
    }


def first_words(instructions: str, words: str) -> str:
    """``instructions`` until we watch the call: should the caller speak before, the reply begins with ``words``."""
    return f'{instructions}\nYour first reply of the call begins with this, as it stands: "{words}"'


def say(words: str) -> str:
    """What has a model say ``words`` as they stand."""
    return f'Say this now, word for word, and nothing else: "{words}"'
