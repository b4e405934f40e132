"""Whether an engine may be asked: what all calls of the machine found out about providers, and what this one did.

One caller does not wait twice for the same failing provider, so a call's own circuits open at the first failure. Those
that all calls share need more than one to open, and keep the next callers from waiting at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from engines.catalogue import Catalogue
from engines.circuits import OF_A_CALL, Circuit, Circuits, Happened, Limits, State, What
from engines.component import Component, Role
from service.happenings import HappeningsLog

logger = logging.getLogger(__name__)

HEARD_S = 0.02
"""What other processes tell is looked for once in so long: the signals of one turn ask about every engine."""


def providers(catalogue: Catalogue) -> Mapping[str, str]:
    """The name of the provider of each engine, voice and recogniser, by name: outages are a model's in one role."""
    minds = {
        name: _provider("llm" if engine.kind == "cascade" else "realtime", engine.mind)
        for name, engine in catalogue.engines.items()
    }
    voices = {voice_name(name): _provider("tts", part) for name, part in catalogue.voices.items()}
    return (
        minds | voices | {transcriber_name(part): _provider("stt", part) for part in catalogue.transcribers}
    )


def voice_name(voice: str) -> str:
    """What a voice of the catalogue is called where engines are called by their names."""
    return f"voice {voice}"


def transcriber_name(component: Component) -> str:
    """What a recogniser of the catalogue is called where engines are called by their names."""
    return f"transcriber {component.provider}/{component.model}"


def _provider(role: Role, component: Component) -> str:
    return f"{role} {component.provider} {component.model}"


class SharedCircuits:
    """The circuits that the calls of a machine share: in this process, and by a log in all that read the same one.

    Args:
        log: where to tell other processes, and to hear from them.
        limits: of the circuits.
        watch: told of a circuit after something happened to it.
        now_s: the machine's monotonic clock.
    """

    def __init__(
        self,
        log: HappeningsLog | None = None,
        *,
        limits: Limits | None = None,
        watch: Callable[[str, State], None] = lambda name, state: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._circuits = Circuits(limits, salt="" if log is None else str(log.folder))
        self._watch = watch
        self.now_s = now_s
        self._heard_s = -HEARD_S
        self._hear()

    def of(self, name: str) -> Circuit:
        """The circuit of one provider, as everybody knew it :data:`HEARD_S` ago at most."""
        if self.now_s() - self._heard_s > HEARD_S:
            self._hear()
        return self._circuits.of(name)

    def tell(self, name: str, what: What, who: str) -> None:
        """Something happened to a provider."""
        one = Happened(self.now_s(), name, what, who)
        if self._log is not None:
            try:
                self._log.append(one)
            except OSError as error:
                self._alone(error)
        if self._log is None:
            self._take([one])
        else:
            self._hear()  # in the order in which it was told, which may not be that in which it happened

    def _hear(self) -> None:
        if self._log is None:
            return
        self._heard_s = self.now_s()
        try:
            self._take(self._log.news(self._heard_s))
        except OSError as error:
            self._alone(error)

    def _take(self, happened: Iterable[Happened]) -> None:
        happened = tuple(happened)
        self._circuits.take(happened)
        for name in {one.name for one in happened}:
            self._watch(name, self._circuits.of(name).state(self.now_s()))

    def _alone(self, error: OSError) -> None:
        logger.error("providers' health is no longer shared with other processes: %s", error)
        self._log = None


class Health(Protocol):
    """What a call asks and tells of its engines' providers."""

    def may_ask(self, engine: str) -> bool:
        """Whether the engine's provider may be asked, if only to try it."""

    def asked(self, engine: str) -> None:
        """The engine's provider is asked now."""

    def worked(self, engine: str) -> None:
        """It answered as it should."""

    def failed(self, engine: str) -> None:
        """It refused, broke off, lied, or was too slow."""


class _AllWell:
    def may_ask(self, engine: str) -> bool:
        return True

    def asked(self, engine: str) -> None: ...
    def worked(self, engine: str) -> None: ...
    def failed(self, engine: str) -> None: ...


ALL_WELL = _AllWell()
"""Where nobody keeps count."""


class CallHealth:
    """:class:`Health` for one call.

    Args:
        shared: what all calls know.
        providers: the name of each engine's provider; an engine without one is always well.
        call_id: who asks.
    """

    def __init__(self, shared: SharedCircuits, providers: Mapping[str, str], call_id: str) -> None:
        self._shared = shared
        self._own = Circuits(OF_A_CALL, salt=call_id)
        self._providers = providers
        self._who = call_id

    def may_ask(self, engine: str) -> bool:
        if (name := self._providers.get(engine)) is None:
            return True
        now_s = self._shared.now_s()
        circuits = self._own.of(name), self._shared.of(name)
        return all(circuit.may_ask(now_s, self._who) for circuit in circuits)

    def asked(self, engine: str) -> None:
        self._tell(engine, "asked")

    def worked(self, engine: str) -> None:
        self._tell(engine, "worked")

    def failed(self, engine: str) -> None:
        self._tell(engine, "failed")

    def _tell(self, engine: str, what: What) -> None:
        if (name := self._providers.get(engine)) is None:
            return
        self._own.take([Happened(self._shared.now_s(), name, what, self._who)])
        if what != "asked" or self._shared.of(name).state(self._shared.now_s()) is State.HALF_OPEN:
            self._shared.tell(name, what, self._who)  # who asks a provider that is well is nobody's business
