"""The transfers of one call: tries the ways to a person in their order, and never leaves the caller in silence."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Literal

from compliance.events import (
    CallbackAsked,
    Event,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TransferFailed,
)
from engines.human import LEFT, NOBODY, Asked
from engines.people import PersonSpec, Target, Way
from engines.record import name_of
from service.ending import CALLER_LEFT
from service.transfer.bridge import Bridge
from service.transfer.callback import CallbackForm
from service.transfer.calling import Calling
from service.transfer.errors import NoNumberError, NumberNotKeptError, TransferError
from service.transfer.hearing import Hearing
from service.transfer.leg import Leg
from service.transfer.line import Line
from service.transfer.livekit import DIALLED

logger = logging.getLogger(__name__)

REMIND_S = 15.0
"""A caller who waits hears from the line so often."""
AGAIN_AFTER_S = 60.0
"""Nobody is asked for sooner again when nobody came."""
ANSWER_S = 20.0
"""A caller who says nothing for so long, once they were asked, has no number to give."""
FRESH_S = 3.0
"""Who is free is not asked more often."""
NUMBER = "PHONE_NUMBER"
"""The entity that a number to be called back on is."""


class Transfers:
    """Implements :class:`engines.human.Fetching` for a call.

    Args:
        line: the call.
        people: who there is, by engine name.
        calling: calls them.
        call_id: goes into every event.
        changed: told whether a person can be fetched, when that is known anew.

    Attributes:
        connected: whether a person is on the line now.
        asking: whether a machine asks the caller for a number to be called back on, and waits for their words.
    """

    def __init__(
        self,
        line: Line,
        people: Mapping[str, PersonSpec],
        calling: Calling,
        call_id: str,
        *,
        changed: Callable[[bool], None],
    ) -> None:
        self._line = line
        self._people = people
        self._calling = calling
        self._call_id = call_id
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._looked_ms = float("-inf")
        self._free: set[str] = set()
        self._again_ms: dict[str, float] = {}
        self._asked_ms = 0.0
        self.connected = self.asking = False
        line.desk.people.fetching = self

    # -- engines.human.Fetching -----------------------------------------------------------------------------
    def fetch(self, asked: Asked) -> None:
        self._asked_ms = self._line.clock.now_ms()
        self._tell(TransferAsked, asked, cause=asked.cause, reason=asked.reason)
        if self._task is not None:
            self._task.cancel()
        # A context of its own: what is used from here on is not booked on the reply that led here.
        self._task = asyncio.create_task(self._fetch(asked), name="patchbay.transfer", context=Context())

    def available(self, engine: str) -> bool:
        by_callback = "callback" in self._people[engine].ways and self._line.keeps_numbers
        return self._rested(engine) and (by_callback or engine in self._free)

    # -- who is free ----------------------------------------------------------------------------------------
    def look(self) -> None:
        """Find out who is free, unless that is known: the caller speaks, and a decision will be due."""
        now_ms = self._line.clock.now_ms()
        busy = self._looking is not None and not self._looking.done()
        if self._people and not busy and now_ms - self._looked_ms >= 1000 * FRESH_S:
            self._looked_ms = now_ms
            self._looking = asyncio.create_task(self._look(), name="patchbay.people", context=Context())

    async def _look(self) -> None:
        for name, person in self._people.items():
            direct = set(person.ways) - {"callback"}
            free = direct and any([await self._calling.reachable(target) for target in person.to])
            (self._free.add if free else self._free.discard)(name)
        self._changed(any(map(self._rested, self._free)))

    def _rested(self, engine: str) -> bool:
        return self._line.clock.now_ms() >= self._again_ms.get(engine, 0.0)

    async def aclose(self) -> None:
        """The call is over: let go of whoever is on the line, and have their last words."""
        tasks = [task for task in (self._task, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._closing, return_exceptions=True)

    # -- one transfer ---------------------------------------------------------------------------------------
    async def _fetch(self, asked: Asked) -> None:
        person = asked.person
        by: dict[Way, Callable[[Asked], Awaitable[bool]]] = {
            "warm": self._warm,
            "blind": self._blind,
            "callback": self._callback,
        }
        for way in person.ways:
            try:
                if await by[way](asked):
                    return
            except Exception as error:  # whatever it is, nobody else would ever give the caller back
                self._failed(asked, way, "", error)
        self._again_ms[person.name] = self._line.clock.now_ms() + 1000 * AGAIN_AFTER_S
        self._changed(any(map(self._rested, self._free)))
        self._line.desk.people.give_back(person.words.nobody, NOBODY)

    async def _warm(self, asked: Asked) -> bool:
        for target in asked.person.to:
            try:
                async with (
                    self._reminding(asked.person) as reminding,
                    self._calling.called(asked.person, target) as leg,
                ):
                    reminding.cancel()
                    await self._talk(asked, target, leg)
            except Exception as error:
                self._failed(asked, "warm", str(target), error)
            else:
                self._part(asked.person)
                return True
        return False

    async def _talk(self, asked: Asked, target: Target, leg: Leg) -> None:
        """The caller and the person talk until one of them leaves; an error ends it as if the person had left."""
        line, who = self._line, "" if leg.person == DIALLED else leg.person
        hearing = Hearing(line.hears, line.clock, line.emit, call_id=self._call_id, asked=asked, person=who)
        bridge = Bridge(line.session, line.caller, line.ear, leg, hearing)
        began_ms = self._line.clock.now_ms()
        by: Literal["person", "caller", "service"] = "service"
        self._line.session.interrupt(force=True)

        def connected() -> None:
            self.connected = True
            waited_ms = began_ms - self._asked_ms
            self._tell(TransferAnswered, asked, way="warm", to=str(target), person=who, waited_ms=waited_ms)

        try:
            await bridge.run(connected)
            by = "person"
        except asyncio.CancelledError:
            by = "caller" if self._line.reason() == CALLER_LEFT else "service"
            raise
        except Exception as error:
            logger.error("a transfer ended: %s", name_of(error))
        finally:
            self.connected = False
            self._close(hearing)
            duration_ms = self._line.clock.now_ms() - began_ms
            self._line.met()
            self._line.bill(asked.person.name, duration_ms / 60_000)
            self._tell(
                TransferEnded, asked, person=who, by=by, duration_ms=duration_ms, spoke_ms=bridge.spoke_ms
            )

    def _close(self, hearing: Hearing) -> None:
        """Have the last words of a person who left, while the caller goes on with somebody else."""
        closing = asyncio.create_task(hearing.aclose(), name="patchbay.last_words")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _part(self, person: PersonSpec) -> None:
        if person.returns:
            self._line.desk.people.give_back(person.words.back, LEFT)
        else:
            self._line.hang_up("the person who had taken the call left")

    async def _blind(self, asked: Asked) -> bool:
        said = self._line.session.say(asked.person.words.passing_on)
        await said.wait_for_playout()
        for target in asked.person.to:
            try:
                real = target.resolved(os.environ)
                if real.scheme == "room":
                    continue
                await self._line.pass_on(real)
            except Exception as error:
                self._failed(asked, "blind", str(target), error)
                continue
            waited_ms = self._line.clock.now_ms() - self._asked_ms
            self._tell(TransferAnswered, asked, way="blind", to=str(target), person="", waited_ms=waited_ms)
            self._line.met()
            self._line.hang_up("the caller was passed on")
            return True
        return False

    async def _callback(self, asked: Asked) -> bool:
        self.asking = True
        try:
            await self._ask(asked)
        except (TimeoutError, TransferError) as error:
            self._failed(asked, "callback", "", error)
            if not isinstance(error, NoNumberError):
                return False
        finally:
            self.asking = False
        # Enough was said, with a number or without: a policy that sends who asked to people does not ask again.
        self._line.met()
        return True

    async def _ask(self, asked: Asked) -> None:
        """Raises TransferError when the caller is not to be called back; NoNumberError when they gave no number."""
        line, people = self._line, self._line.desk.people
        if not line.keeps_numbers:
            raise NumberNotKeptError
        form, heard = CallbackForm(asked.person.words), asyncio.Queue[str]()
        people.listener = heard.put_nowait
        line.recorder.expect(NUMBER)
        said = line.session.say(form.opening)
        while not form.over:
            await said.wait_for_playout()
            async with asyncio.timeout(ANSWER_S):
                text = await heard.get()
            reply = form.heard(text)
            if form.number:
                line.recorder.know(
                    NUMBER, form.number
                )  # before it is said again, to the caller or the record
            if reply and not form.over:
                # What is read back is not cut in the middle: half a number is not known for one.
                said = line.session.say(reply, allow_interruptions=not form.number)
        if form.wish is not None:
            self._tell(CallbackAsked, asked, number=form.wish.number, best_time=form.wish.best_time)
        people.give_back(reply, NOBODY)
        if form.wish is None:
            raise NoNumberError

    @asynccontextmanager
    async def _reminding(self, person: PersonSpec) -> AsyncIterator[asyncio.Task[None]]:
        """The caller hears now and then that somebody is still being fetched."""

        async def remind() -> None:
            while True:
                await asyncio.sleep(REMIND_S)
                if self._line.session.current_speech is None:
                    self._line.session.say(person.words.waiting)

        task = asyncio.create_task(remind(), name="patchbay.waiting")
        try:
            yield task
        finally:
            task.cancel()

    def _failed(self, asked: Asked, way: Way, to: str, error: Exception) -> None:
        self._tell(TransferFailed, asked, way=way, to=to, error=name_of(error))

    def _tell(self, kind: Callable[..., Event], asked: Asked, **what: Any) -> None:
        at_ms = self._line.clock.now_ms()
        self._line.emit(
            kind(call_id=self._call_id, at_ms=at_ms, turn=asked.turn, engine=asked.person.name, **what)
        )
