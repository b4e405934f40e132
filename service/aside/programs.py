"""What a process beside the calls is started for: which models it loads, what it does for a call, how it gives way.

There are two, each a process of its own. Judging a window of a voice takes tens of milliseconds that nothing may
interrupt, and redacting an utterance a few: in one process a redaction would wait for voices, and voices for
redactions. What callers said stays out of the process that hears them, and the loss of one is not that of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from classifiers.errors import ClassifierError
from service.aside.errors import RedactorNotStartedError
from service.aside.serve import Work
from service.aside.wire import PAYLOAD_LIMIT


@dataclass(frozen=True, slots=True)
class Program:
    """One kind of process beside the calls.

    Args:
        path: what it loads: a file or a folder. Processes for different ones are different processes.
    """

    path: Path

    name: ClassVar[str]
    """It is started and handed down under this name."""
    niceness: ClassVar[int]
    """How far it gives way to calls."""
    quick_bytes: ClassVar[int]
    """Messages up to this size are answered at once; a longer one in a thread, so that others need not wait for it."""

    @classmethod
    def variable(cls) -> str:
        """How a worker tells its job processes where its own process listens. Nobody else sets it."""
        return f"PATCHBAY_ASIDE_{cls.name.upper()}"

    def works(self) -> Mapping[str, Callable[[], Work]]:
        """Load everything; seconds. Returns name → makes the work for one call."""
        raise NotImplementedError

    def not_started(self, what: str, remedy: str) -> Exception:
        """The error of a process that cannot do its work."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Emotion(Program):
    """Judges callers' voices; ``path`` is a model folder, see :class:`classifiers.emotion.EmotionModel`."""

    name = "emotion"
    niceness = 10
    quick_bytes = PAYLOAD_LIMIT

    def works(self) -> Mapping[str, Callable[[], Work]]:
        from classifiers.emotion import EmotionModel
        from service.aside.emotion import EmotionWork

        return {self.name: partial(EmotionWork, EmotionModel.load(self.path))}

    def not_started(self, what: str, remedy: str) -> ClassifierError:
        return ClassifierError(self.path, what, remedy)


@dataclass(frozen=True, slots=True)
class Redaction(Program):
    """Redacts what is said in calls; ``path`` is the redaction policy, see ``policies/redaction.yaml``."""

    name = "redaction"
    niceness = 5  # before voices: a record that lags is shown as withheld, a voice that lags is not missed
    quick_bytes = 4096

    def works(self) -> Mapping[str, Callable[[], Work]]:
        from service.aside.redaction import redaction_works

        return {self.name: redaction_works(self.path)}

    def not_started(self, what: str, remedy: str) -> RedactorNotStartedError:
        return RedactorNotStartedError(f"{self.path}: {what}. {remedy[:1].upper()}{remedy[1:]}.")


PROGRAMS: Mapping[str, type[Program]] = {program.name: program for program in (Emotion, Redaction)}
