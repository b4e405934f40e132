"""Finds the values that a call's models may not see, by the same redaction that keeps them off the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from compliance.events import AgentSaid, CallerSaid, Event, Speaker, ToolCalled
from compliance.redaction import RedactionPolicy
from compliance.redaction.spans import Span
from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from policies.document import did_you_mean
from service.redaction_line import RedactionLine

QUESTIONS = "questions"
"""The decision model, which is no engine and sees the conversation too."""
_NOBODYS = "placeholders"
"""The call of events that are only asked about: they are no part of any record."""


class FindingFailedError(Exception):
    """What was said could not be looked through. Carries the class of the reason, never the words."""


class CallFinder:
    """Implements :class:`engines.vault.Finder` for one call: a redactor of its own in the process beside the calls.

    It is not the record's: that one waits for the disk at times, and a model does not.

    Args:
        line: to that process, for this only.
    """

    def __init__(self, line: RedactionLine) -> None:
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="placeholders")

    def in_words(self, text: str, *, speaker: Speaker) -> asyncio.Future[tuple[Span, ...]]:
        event: Event
        if speaker == "caller":
            event = CallerSaid(
                call_id=_NOBODYS,
                at_ms=0,
                start_ms=0,
                end_ms=0,
                text=text,
                confidence=1,
                while_agent_spoke=False,
            )
        else:
            event = AgentSaid(
                call_id=_NOBODYS,
                at_ms=0,
                turn=0,
                engine="",
                generation=0,
                start_ms=0,
                end_ms=0,
                text=text,
                interrupted=False,
            )
        return self._asked(lambda: self._redacted(event)[1]["text"])

    def in_data(self, value: Any) -> asyncio.Future[Any]:
        event = ToolCalled(
            call_id=_NOBODYS,
            at_ms=0,
            turn=0,
            engine="",
            name="",
            arguments={},
            result=value,
            failed=False,
            took_ms=0,
        )
        return self._asked(lambda: _result(self._redacted(event)[0]))

    async def aclose(self) -> None:
        """Have the process forget the call."""
        self._thread.submit(self._line.forget)
        self._thread.shutdown(wait=False)

    def _asked(self, find: Callable[[], Any]) -> asyncio.Future[Any]:
        finding = self._loop.run_in_executor(self._thread, find)
        finding.add_done_callback(_looked_at)
        return finding

    def _redacted(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        failures = self._line.failures
        redacted = self._line.redact(event)
        if self._line.failures > failures:
            raise FindingFailedError(self._line.last_failure)
        return redacted


def _result(event: Event) -> Any:
    return event.result if isinstance(event, ToolCalled) else None


def _looked_at(finding: asyncio.Future[Any]) -> None:
    """What nobody waits for any more may fail without a word: whoever waits is told."""
    if not finding.cancelled():
        finding.exception()


def check(policy: RedactionPolicy, catalogue: Catalogue, *, last_resort: str) -> None:
    """Whether placeholders are possible where the policy wants them.

    Raises:
        EngineNotConfiguredError: an engine is unknown, or hears the caller, for whose voice nothing can stand.
    """
    wanted = policy.placeholders
    for name in sorted(wanted.engines or ()):
        if name == QUESTIONS:
            continue
        if (engine := catalogue.engines.get(name)) is None:
            known = (*catalogue.engines, QUESTIONS)
            raise EngineNotConfiguredError(
                f"{wanted.where}: unknown engine '{name}'{did_you_mean(name, known)}"
            )
        if engine.kind != "cascade":
            raise EngineNotConfiguredError(
                f"{wanted.where}: the engine '{name}' hears the caller's voice, in which nothing can be replaced: "
                "list cascades only, or `all`, which keeps engines closed that hear voices"
            )
    if wanted.demanded and (engine := catalogue.engines.get(last_resort)) and engine.kind != "cascade":
        raise EngineNotConfiguredError(
            f"{wanted.where}: every engine must see placeholders, and the routing policy's last resort "
            f"'{last_resort}' hears the caller's voice: make a cascade the last resort, or list engines"
        )
