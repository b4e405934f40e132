"""What redacting an utterance takes, end to end: ``python -m lab.bench redaction [UTTERANCES] [MODEL]``.

Utterances are handed to the process beside the calls, as calls do it, by one call and then by ten; each says something
every 300 ms: ten times what people say. Printed are the time from handing over to the answer, of all utterances and of
the quickest time that each was redacted; and the processor time of redacting each, measured in a thread of this process
with the same redactor. On a machine that does other work only the last two say something about a free core; its load is
printed with the figures.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]

from compliance.events import AgentSaid, CallerSaid, Event
from compliance.redaction import RedactionEngine, Redactor
from compliance.redaction.policy import RedactionPolicy
from policies import shipped
from service.aside import AsideProcess, Redaction
from service.redaction_line import RedactionLine

LIMIT_MS = 5.0
"""An utterance is redacted within this time at the 99th percentile, on a free core."""
EVERY_S = 0.3
CALLS = (1, 10)
ROUNDS = 5
"""The processor time of an utterance is the least of so many."""

CONVERSATION: tuple[tuple[str, str], ...] = (
    ("agent", "thank you for calling, how can i help you today"),
    ("caller", "hi yes my parcel was supposed to be here on tuesday and it still isn't"),
    ("agent", "i am sorry to hear that, may i have your full name please"),
    ("caller", "sure it's marguerite hollins that's h o double l i n s"),
    ("agent", "thank you marguerite, and the order number"),
    ("caller", "it is four four one seven dash two nine"),
    ("agent", "and which address should it go to"),
    ("caller", "forty two wexley gardens flat three bristol b s eight two t y"),
    ("caller", "actually can you send me an email instead it's m dot hollins at example dot com"),
    ("agent", "of course. is there a telephone number we can reach you at"),
    ("caller", "oh seven seven double zero nine hundred four five six"),
    ("agent", "there is a balance of twenty four pounds fifty, would you like to pay it now"),
    ("caller", "yeah okay let me get my card"),
    ("caller", "four one one one one one one one"),
    ("agent", "yes, go on"),
    ("caller", "one one one one one one one one expires oh four twenty nine"),
    ("agent", "and the three digits on the back please"),
    ("caller", "seven three nine"),
    ("agent", "thank you, that is paid. is there anything else"),
    ("caller", "no that's all i think you've been great thanks bye"),
)


def _event(number: int) -> Event:
    speaker, text = CONVERSATION[number % len(CONVERSATION)]
    at = {"call_id": "bench", "at_ms": float(number), "start_ms": 0.0, "end_ms": 1.0, "text": text}
    if speaker == "caller":
        return CallerSaid.model_validate({**at, "confidence": 1.0})
    return AgentSaid.model_validate(
        {**at, "turn": 1, "engine": "bench", "generation": 1, "interrupted": False}
    )


Took = list[tuple[int, float]]
"""Place in the conversation, and ms from handing over to the answer, of every utterance."""


def _call(address: Path, utterances: int, offset_s: float, took: Took) -> None:
    line = RedactionLine(address)
    line.redact(_event(0))
    began_s = time.monotonic() + offset_s
    for number in range(utterances):
        time.sleep(max(0.0, began_s + number * EVERY_S - time.monotonic()))
        sent_s = time.perf_counter()
        line.redact(_event(number))
        took.append((number % len(CONVERSATION), (time.perf_counter() - sent_s) * 1000))
    failures = line.failures
    line.forget()
    if failures:
        raise RuntimeError(f"{failures} utterances were not redacted ({line.last_failure})")


def beside(process: AsideProcess, calls: int, utterances: int) -> tuple[Took, float]:
    """What every utterance took; and the process's CPU per utterance, in ms."""
    took: Took = []
    there = psutil.Process(process.pid)
    before = sum(there.cpu_times()[:2])
    threads = [
        threading.Thread(
            target=_call,
            args=(process.address, utterances, EVERY_S * call / calls, took),
            name=f"call {call}",
        )
        for call in range(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, 1000 * (sum(there.cpu_times()[:2]) - before) / max(1, len(took))


def quickest(took: Took) -> list[float]:
    """The least that each utterance of the conversation took, in ms: what is more is other work of the machine."""
    return [min(ms for at, ms in took if at == place) for place in sorted({at for at, _ in took})]


def alone(policy: RedactionPolicy, utterances: int) -> list[float]:
    """The processor time of redacting each utterance in this thread, in ms: the least of :data:`ROUNDS`."""
    engine = RedactionEngine.shared(policy)
    least: list[list[float]] = []
    for _ in range(ROUNDS):
        redactor, took_ms = Redactor(engine, policy=policy), []
        for number in range(min(utterances, len(CONVERSATION))):
            event = _event(number)
            began_ns = time.thread_time_ns()
            redactor.redact(event)
            took_ms.append((time.thread_time_ns() - began_ns) / 1e6)
        least.append(took_ms)
    return [min(one) for one in zip(*least, strict=True)]


def _said(name: str, took_ms: Sequence[float]) -> str:
    p50, p99, worst = np.percentile(took_ms, [50, 99, 100])
    return f"{name}, {len(took_ms)} utterances: P50 {p50:.2f} ms, P99 {p99:.2f} ms, worst {worst:.1f} ms"


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; returns 1 when a redaction takes too long.

    Args:
        arguments: utterances per call (60), and a redaction policy (the one that ships).
    """
    utterances = int(arguments[0]) if arguments else 60
    path = Path(arguments[1]) if len(arguments) > 1 else shipped("redaction.yaml")
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{utterances} utterances a call, {os.cpu_count()} cores, load before {load}")
    began_s = time.perf_counter()
    with closing(AsideProcess.start(Redaction(path))) as process:
        process.wait_until_ready()
        print(f"ready {time.perf_counter() - began_s:.1f} s after it was started", end=", ")
        print(f"{psutil.Process(process.pid).memory_info().rss / 1e6:.0f} MB")
        for calls in CALLS:
            took, cpu_ms = beside(process, calls, utterances)
            print(_said(f"{calls} call(s) at once, end to end", [ms for _, ms in took]))
            print(_said(f"{calls} call(s) at once, end to end, each at its quickest", quickest(took)))
            print(f"{calls} call(s) at once: {cpu_ms:.2f} ms of CPU in the process per utterance")
    cpu = alone(RedactionPolicy.load(path), utterances)
    print(_said("processor time of the redactor alone", cpu), f", mean {statistics.mean(cpu):.2f} ms", sep="")
    p99_ms = float(np.percentile(cpu, 99))
    print(
        f"P99 of the processor time is {'within' if p99_ms <= LIMIT_MS else 'OVER'} the limit of {LIMIT_MS:g} ms"
    )
    return 0 if p99_ms <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
