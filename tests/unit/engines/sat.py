"""A desk with nothing around it: routing by list, and as much of a session as the desk asks between hand-offs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from livekit.agents import Agent, llm

from compliance.clock import CallClock
from compliance.events import Event
from engines.cascade import Cascade
from engines.desk import Desk
from engines.duplex import FullDuplex
from engines.generations import Generation
from engines.routing import CallerTurn, Route, Routing
from engines.warm import WarmModel
from tests.unit.engines.fakes import FakeRealtime, frame


class Plan:
    """Routing by list: ``chosen`` is what the turn in hand, and a preview of it, go to; ``denied`` may not answer."""

    def __init__(self) -> None:
        self.chosen = "fast"
        self.denied: frozenset[str] = frozenset()
        self.order = ("standard", "tool")
        self.turns = 0
        self.failures: list[str] = []
        self.moves: list[str] = []
        self.told: list[str] = []

    def preview(self, text: str) -> Route:
        return Route(self.turns + 1, self.chosen, self.denied)

    def decide(self, turn: CallerTurn) -> Route:
        self.turns += 1
        return Route(self.turns, self.chosen, self.denied)

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        out = {route.engine, *route.denied, *failed}
        return next((one for one in self.order if one not in out), None)

    def warm(self, engine: str) -> bool:
        return False

    def moved(self, engine: str) -> None:
        self.moves.append(engine)

    def asked(self, engine: str) -> None:
        self.told.append(f"asked {engine}")

    def worked(self, engine: str) -> None:
        self.told.append(f"{engine} worked")

    def failed(self, engine: str) -> None:
        self.failures.append(engine)


class Speech:
    """A reply as LiveKit makes it: it began when it was made, and its first sound is heard if ``audible``."""

    def __init__(self, sat: Sat, speech_id: str = "reply", *, audible: bool = True) -> None:
        self.id = speech_id
        self.chat_items: list[llm.ChatItem] = []
        self.interrupted = False
        self._error: BaseException | None = None
        self._over: list[Callable[[Speech], None]] = []
        sat.session.listeners["speech_created"](SimpleNamespace(speech_handle=self))
        if audible:
            reply = sat.desk.generations.of(speech_id)
            assert reply is not None
            reply.voiced()
            sat.desk.first_sound()

    def add_done_callback(self, told: Callable[[Speech], None]) -> None:
        self._over.append(told)

    def exception(self) -> BaseException | None:
        return self._error

    def says(self, text: str) -> None:
        self.chat_items.append(llm.ChatMessage(role="assistant", content=[text]))

    def uses_a_tool(self) -> None:
        made = llm.FunctionCallOutput(call_id="call", name="look", output="done", is_error=False)
        self.chat_items.append(made)

    def ends(self, error: BaseException | None = None, *, interrupted: bool = False) -> None:
        self._error, self.interrupted = error, interrupted
        for told in self._over:
            told(self)


class Session:
    """As much of a LiveKit session as the desk asks of it between hand-offs."""

    def __init__(self) -> None:
        self.history = llm.ChatContext()
        self.user_state = self.agent_state = "listening"
        self.current_speech: object = None
        self.did: list[str] = []
        self.agents: list[Agent] = []
        self.listeners: dict[str, Callable[..., None]] = {}
        self.opened: Callable[[str], object] = lambda speech_id: None

    def on(self, event: str, listener: Callable[..., None]) -> None:
        self.listeners[event] = listener

    def hears(self, state: str) -> None:
        """The caller begins to speak, or stops."""
        self.user_state = state
        self.listeners["user_state_changed"](SimpleNamespace(new_state=state))

    def interrupt(self, *, force: bool = False) -> None:
        self.did.append("interrupt")

    def say(self, text: str, *, add_to_chat_ctx: bool = True) -> Any:
        self.did.append(f"say {text}" if add_to_chat_ctx else f"say beside {text}")
        self.opened(text)
        return SimpleNamespace(id=text)

    def update_agent(self, agent: Agent) -> None:
        self.agents.append(agent)

    def generate_reply(self, **how: Any) -> None:
        self.did.append("reply")


class Sat:
    """A desk with three cascades, and realtime engines of those names; ``routing`` stands in for its plan.

    The tap has 400 ms of every turn. Each cascade has a provider of its own, unless ``providers`` names it.
    """

    def __init__(
        self,
        silence_limit_s: float = 60.0,
        routing: Routing | None = None,
        realtime: Collection[str] = (),
        tools: Sequence[llm.Tool] = (),
        providers: Mapping[str, str] | None = None,
        full_duplex: FullDuplex | None = None,
    ) -> None:
        self.plan, self.session = Plan(), Session()
        self.events: list[Event] = []
        nothing: Any = SimpleNamespace(provider="nobody")
        self.kept = [frame() for _ in range(20)]
        tap: Any = SimpleNamespace(sinks=[], since=lambda at_ms: self.kept)
        session: Any = self.session
        self.desk = Desk(
            session=session,
            clock=CallClock(),
            cascades={
                name: Cascade(name, _mind((providers or {}).get(name, name)), nothing, True, 1.0)
                for name in ("fast", "standard", "tool")
            },
            realtime={name: WarmModel(FakeRealtime(), first_reply_s=1.0) for name in realtime},
            recogniser=nothing,
            tap=tap,
            routing=routing or self.plan,
            emit=self.events.append,
            call_id="call",
            instructions="",
            tools=tools,
            silence_limit_s=silence_limit_s,
            full_duplex=full_duplex,
        )
        self.session.opened = lambda speech_id: self.desk.generations.open(
            speech_id, engine=self.desk.engine, turn=self.desk.turn
        )

    def ends_turn(self, text: str = "hello") -> tuple[llm.ChatMessage, llm.ChatContext]:
        message, context = llm.ChatMessage(role="user", content=[text]), llm.ChatContext()
        assert self.desk.turn_completed(context, message) is False
        return message, context

    def begins(self, message: llm.ChatMessage) -> Generation | None:
        """A reply to ``message`` begins, as LiveKit would begin it in a speech of its own."""
        generations = self.desk.generations
        generation = generations.open(message.id, engine=self.desk.engine, turn=self.desk.turn)
        generations.current = lambda: generation  # type: ignore[method-assign]
        return self.desk.begin_reply(llm.ChatContext([message]))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def _mind(provider: str) -> Any:
    return SimpleNamespace(provider=provider)
