"""LiveKit's session as a call needs it: the turns are its own, what fails and what is kept is ours."""

from __future__ import annotations

from typing import Any

from livekit.agents import AgentSession, inference
from livekit.agents.voice.agent_session import SessionConnectOptions

from engines.cascade import ONCE


def call_session(endpointing_s: float) -> AgentSession[Any]:
    """A session that judges a turn to be over after so much silence, and that nothing but a call's end closes."""
    return AgentSession(
        vad=inference.VAD(),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": endpointing_s},
            "interruption": {"mode": "vad", "resume_false_interruption": False},
        },
        # Failures are ours to handle: the session must not hang up because of them.
        conn_options=SessionConnectOptions(
            llm_conn_options=ONCE, tts_conn_options=ONCE, max_unrecoverable_errors=1_000_000
        ),
        user_away_timeout=None,
        aec_warmup_duration=None,
        session_close_transcript_timeout=0.0,  # our transcriber has the last words, not the session
    )
