"""People as engines: how the catalogue says who takes a call over, by which way, and what the caller is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeVar, cast

from engines.errors import EngineNotConfiguredError
from policies import Node

T = TypeVar("T")
Way = Literal["warm", "blind", "callback"]
WAYS: tuple[Way, ...] = ("warm", "blind", "callback")
Accept = Literal["voice", "key", "at_once"]
ACCEPTS: tuple[Accept, ...] = ("voice", "key", "at_once")
_SCHEMES = ("room", "sip", "sips", "tel", "env")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "room": (re.compile(r"[^\s#]+(#\S+)?"), "room:NAME or room:NAME#IDENTITY"),
    "sip": (re.compile(r"[^\s@]+@[^\s@]+"), "sip:USER@HOST (RFC 3261)"),
    "sips": (re.compile(r"[^\s@]+@[^\s@]+"), "sips:USER@HOST (RFC 3261)"),
    "tel": (re.compile(r"\+\d{6,15}"), "tel:+ and 6 to 15 digits (RFC 3966, E.164)"),
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "env:VARIABLE"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a person is reached.

    ``room``: a LiveKit room in which a person waits, with any client; after ``#`` the identity of the one who takes
    calls there. ``sip``, ``sips``, ``tel``: dialled. ``env``: what a variable of the environment says, in the same
    words; the record has the variable's name.
    """

    scheme: str
    value: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Raises ValueError with what is wrong; it does not quote the text, which may be a secret's."""
        scheme, colon, value = text.strip().partition(":")
        if not colon or scheme not in _SCHEMES:
            raise ValueError(f"must begin with {', '.join(f'{one}:' for one in _SCHEMES[:-1])} or env:")
        form, told = _FORMS[scheme]
        if not form.fullmatch(value):
            raise ValueError(f"must be {told}")
        return cls(scheme, value)

    def resolved(self, environment: Mapping[str, str]) -> Target:
        """The target itself, or the one that its variable names.

        Raises:
            EngineNotConfiguredError: the variable is not set, or does not name a target.
        """
        if self.scheme != "env":
            return self
        try:
            target = Target.parse(environment.get(self.value, ""))
        except ValueError as error:
            raise EngineNotConfiguredError(
                f"{self.value} names nobody who could be called: it {error}"
            ) from None
        if target.scheme == "env":
            raise EngineNotConfiguredError(
                f"{self.value} names another variable, and nobody who could be called"
            )
        return target

    @property
    def room(self) -> str:
        """The name of the room, of a target that is one."""
        return self.value.partition("#")[0]

    @property
    def identity(self) -> str:
        """Who takes calls in the room; empty for anybody."""
        return self.value.partition("#")[2]


@dataclass(frozen=True, slots=True)
class TransferWords:
    """What the caller hears, and, in the last two, the person who is called."""

    fetching: str = "One moment, please. I am getting a colleague for you."
    waiting: str = "I am still trying to reach a colleague. Thank you for waiting."
    passing_on: str = "I am passing your call on now. Goodbye."
    nobody: str = "I am sorry, none of my colleagues is free just now. I will help you as well as I can."
    back: str = "My colleague has left the call. Is there anything else that I can help you with?"
    number: str = "I am sorry, none of my colleagues is free just now. On which number may we call you back?"
    number_again: str = "Sorry, I did not get that. Please tell me the telephone number, digit by digit."
    confirm: str = "I have {number}. Is that right?"
    time: str = "Thank you. When would suit you best?"
    noted: str = "Thank you. Somebody will call you back. Is there anything else that I can help you with?"
    no_callback: str = "All right, then nobody will call you. What else can I do for you?"
    announce: str = "A caller for you."
    accept: str = ""
    """By default what to do, by the way of accepting."""


TO_ACCEPT: Mapping[Accept, str] = {
    "voice": "Say yes when you are ready.",
    "key": "Press any key to take the call.",
    "at_once": "You are being connected.",
}


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """An engine of ``kind: human`` as the catalogue describes it."""

    name: str
    ways: tuple[Way, ...]
    """How the caller gets to somebody, tried in this order."""
    to: tuple[Target, ...] = ()
    """Who is asked, in this order."""
    wait_s: float = 30.0
    """How long one of them is given to come, and to take the call once they were told what it is about."""
    accept: Accept = "voice"
    """What shows that somebody is there: their voice, a key (DTMF, which no answering machine presses), or nothing."""
    returns: bool = True
    """Whether the caller is a machine's again when the person has left; else the call ends."""
    summary: str = ""
    """The cascade whose model writes the summary, from redacted words; by default it is put together without one."""
    words: TransferWords = TransferWords()


def read_person(name: str, node: Node) -> PersonSpec | None:
    """The person that ``node`` describes; ``None`` after a problem was reported."""
    node.only(("kind", "transfer", "to", "wait_ms", "accept", "returns", "summary", "words"))
    ways = tuple(cast(Way, way) for way in _each(node.require("transfer"), _way))
    targets = tuple(_each(node.get("to"), _target))
    limit, accept_node, returns = node.get("wait_ms"), node.get("accept"), node.get("returns")
    wait_ms = 30_000.0 if limit is None else limit.number(least=1000, most=600_000)
    accept = "voice" if accept_node is None else accept_node.one_of(ACCEPTS, what="way to accept a call")
    stays = True if returns is None else returns.boolean()
    summary = None if (writer := node.get("summary")) is None else writer.text()
    words = _words(node.get("words"))
    if not ways and (listing := node.get("transfer")) is not None and not listing.value:
        listing.problem("at least one way of transfer is needed")
    if not ways or wait_ms is None or accept is None or stays is None:
        return None
    if not targets and set(ways) != {"callback"}:
        node.problem(f"a {ways[0]} transfer needs somebody to transfer `to`")
    elif "blind" in ways and all(one.scheme == "room" for one in targets):
        node.problem("a blind transfer needs a telephone or SIP address in `to`: nobody is dialled in a room")
    return PersonSpec(name, ways, targets, wait_ms / 1000, cast(Accept, accept), stays, summary or "", words)


def _each(node: Node | None, read: Callable[[Node], T | None]) -> Iterator[T]:
    """What ``read`` makes of a value, or of each of a list of them."""
    if node is None:
        return
    for one in (node,) if isinstance(node.value, str) else tuple(node.elements()):
        if (found := read(one)) is not None:
            yield found


def _way(node: Node) -> str | None:
    return node.one_of(WAYS, what="way of transfer")


def _target(node: Node) -> Target | None:
    text = node.text()
    try:
        return None if text is None else Target.parse(text)
    except ValueError as error:
        node.problem(str(error))
        return None


def _words(node: Node | None) -> TransferWords:
    if node is None:
        return TransferWords()
    known = {field.name for field in fields(TransferWords)}
    node.only(sorted(known))
    said = {key: text for key, value in node.items() if key in known and (text := value.text())}
    if "{number}" not in said.get("confirm", "{number}") and (confirm := node.get("confirm")) is not None:
        confirm.problem("must have {number} where the number is read back")
    return TransferWords(**said)
