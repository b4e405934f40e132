"""The scripted language model: patterns in, replies or tool calls out. The lab's only simulated part.

A script is a YAML list of rules. The first rule whose conditions all hold for a request answers it, so a reply
depends on nothing but the messages and tools of that request: the same request gets the same reply, whichever
engine carries it and however often it is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lab.spoken import email, figures, spelled
from policies.document import Document, Node

SUPPORT = Path(__file__).parent / "scenarios" / "support.yaml"
"""The support line that the recorded callers ring."""

Engine = Literal["chat", "realtime"]
Role = Literal["system", "user", "assistant", "call", "result"]

_FAILURE = re.compile(r"\b(error|no|not|unknown|invalid|failed|cannot|could|needs|too|once)\b", re.IGNORECASE)
_SLOT = re.compile(r"\{(?P<spell>spell )?(?P<name>[\w.]+)(?:\|(?P<default>[^{}]*))?\}")
_MOST_ORDER_DIGITS, _LEAST_ORDER_DIGITS = 8, 5
_CONDITIONS = ("hears", "asked", "said", "knows", "engine", "tool", "after", "failed")


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation, whatever protocol it came by.

    ``call`` and ``result`` are a tool's call (``text`` is its arguments as JSON) and what it returned; both name
    the ``tool``.
    """

    role: Role
    text: str
    tool: str = ""


@dataclass(frozen=True)
class Request:
    """What the model is asked: the conversation so far, the names of the tools on offer, and by which protocol."""

    messages: tuple[Message, ...]
    tools: frozenset[str] = frozenset()
    engine: Engine = "chat"

    @cached_property
    def heard(self) -> str:
        """What the caller said last; empty when nothing was said yet."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @cached_property
    def pending(self) -> Message | None:
        """The tool result that waits for a reply, if the conversation ends with one."""
        last = next((m for m in reversed(self.messages) if m.role != "system"), None)
        return last if last is not None and last.role == "result" else None

    @cached_property
    def facts(self) -> Mapping[str, str]:
        """What a reply may mention: ``order``, ``email`` and ``result.*`` of the latest tool results."""
        found: dict[str, str] = {}
        asked, before = "", ""
        for message in self.messages:
            if message.role == "assistant":
                asked = message.text
            elif message.role == "user":
                found |= _mentioned(message.text, asked)
            elif message.role == "call" and (number := fields_of(message.text).get("order_number")):
                found["order"] = str(number)
            elif message.role == "result":
                if before != "result":  # what was asked side by side is known side by side
                    found = {k: v for k, v in found.items() if not k.startswith("result.")}
                found |= {f"result.{k}": str(v) for k, v in fields_of(message.text).items() if v is not None}
            before = message.role
        return found


@dataclass(frozen=True, slots=True)
class Say:
    """The model answers with words."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """The model calls a tool, or several at once: those ``beside`` it."""

    tool: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[Call, ...] = ()

    @property
    def all(self) -> tuple[Call, ...]:
        """Every call of the reply, in order."""
        return (self, *self.beside)

    @property
    def arguments_json(self) -> str:
        return json.dumps(dict(self.arguments))


Reply = Say | Call


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and the reply. See ``scenarios/support.yaml`` for their meaning."""

    name: str
    reply: Reply
    hears: re.Pattern[str] | None = None
    asked: re.Pattern[str] | None = None
    said: re.Pattern[str] | None = None
    knows: str | None = None
    engine: str | None = None
    tool: str | None = None
    after: str | None = None
    failed: bool | None = None

    def answer(self, request: Request) -> Reply | None:
        """The reply to ``request``, or ``None`` when this rule does not apply."""
        pending = request.pending
        if (self.after is None) != (pending is None):
            return None
        if pending is not None and self.after not in ("any", pending.tool):
            return None
        if self.failed is not None and (pending is None or _is_failure(pending.text) != self.failed):
            return None
        if self.engine not in (None, request.engine):
            return None
        if self.tool is not None and self.tool not in request.tools:
            return None
        if self.knows is not None and self.knows not in request.facts:
            return None
        if self.asked is not None and not self.asked.search(_last_said(request, "assistant")):
            return None
        if self.said is not None and not any(self.said.search(m.text) for m in _before_last(request)):
            return None
        match = self.hears.search(_plain(request.heard)) if self.hears is not None else None
        if self.hears is not None and match is None:
            return None
        captured = {k: v for k, v in match.groupdict().items() if v} if match else {}
        return _filled(self.reply, {**request.facts, **captured})


@dataclass(frozen=True, slots=True)
class Script:
    """Rules in order, the last of which applies to everything."""

    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, path: Path = SUPPORT) -> Script:
        """Read a script.

        Raises:
            policies.document.DocumentError: with every problem as ``file:line:column: message``.
        """
        document = Document.load(path)
        document.root.only(["rules"])
        node = document.root.require("rules")
        rules = [rule for element in (node.elements() if node else ()) if (rule := _read(element))]
        document.finish()
        return cls(tuple(rules))

    def reply(self, request: Request) -> Reply:
        """The reply of the first rule that applies."""
        return self.decide(request)[1]

    def decide(self, request: Request) -> tuple[str, Reply]:
        """The name of the first rule that applies, and its reply."""
        for rule in self.rules:
            reply = rule.answer(request)
            if reply is not None:
                return rule.name, reply
        return "nothing applies", Say("Sorry, could you say that again?")


def fields_of(output: str) -> dict[str, Any]:
    """A tool's output as a record.

    Understands a JSON object, MCP content (``[{"type": "text", "text": "…"}]`` or one such object) around one, and
    plain text, which becomes ``{"text": output}``.
    """
    try:
        value = json.loads(output)
    except ValueError:
        return {"text": output}
    for _ in range(3):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, dict) and value.get("type") == "text" and "text" in value:
            try:
                value = json.loads(value["text"])
            except (ValueError, TypeError):
                value = {"text": str(value["text"])}
        else:
            break
    return value if isinstance(value, dict) else {"text": str(value)}


def _is_failure(output: str) -> bool:
    record = fields_of(output)
    if record.get("error") or record.get("found") is False or record.get("ok") is False:
        return True
    return set(record) == {"text"} and bool(_FAILURE.search(str(record["text"])))


def _mentioned(text: str, asked: str) -> dict[str, str]:
    found = {}
    if re.search(r"\border", text, re.IGNORECASE) or re.search(r"\border number", asked, re.IGNORECASE):
        numbers = [n for n in figures(text) if _LEAST_ORDER_DIGITS <= len(n) <= _MOST_ORDER_DIGITS]
        if numbers:
            found["order"] = numbers[-1]
    if address := email(text):
        found["email"] = address
    return found


def _plain(text: str) -> str:
    return re.sub(r"[^\w' @.-]+", " ", text.lower()).strip()


def _last_said(request: Request, role: Role) -> str:
    return next((m.text for m in reversed(request.messages) if m.role == role), "")


def _before_last(request: Request) -> tuple[Message, ...]:
    last = max((i for i, m in enumerate(request.messages) if m.role == "user"), default=0)
    return tuple(m for m in request.messages[:last] if m.role in ("user", "assistant"))


def _filled(reply: Reply, values: Mapping[str, str]) -> Reply:
    def fill(template: str) -> str:
        def slot(match: re.Match[str]) -> str:
            value = values.get(match["name"], match["default"] or "")
            return spelled(value) if match["spell"] and match["name"] in values else value

        return re.sub(r"\s+", " ", _SLOT.sub(slot, template)).strip()

    def filled(call: Call) -> Call:
        arguments = {name: fill(value) for name, value in call.arguments.items()}
        return Call(call.tool, arguments, tuple(map(filled, call.beside)))

    return Say(fill(reply.text)) if isinstance(reply, Say) else filled(reply)


def _read(node: Node) -> Rule | None:
    node.only(["rule", "when", "say", "call"])
    name_node = node.require("rule")
    name = name_node.text() if name_node else None
    reply = _read_reply(node)
    when: dict[str, Any] = {}
    if conditions := node.get("when"):
        conditions.only(_CONDITIONS)
        for key, condition in conditions.items():
            if key in ("hears", "asked", "said"):
                when[key] = _pattern(condition)
            elif key == "failed":
                when[key] = condition.boolean()
            elif key == "engine":
                when[key] = condition.one_of(["chat", "realtime"], what="engine")
            elif key in _CONDITIONS:
                when[key] = condition.text()
    return Rule(name=name, reply=reply, **when) if name and reply else None


def _read_reply(node: Node) -> Reply | None:
    say, call = node.get("say"), node.get("call")
    if say is not None and call is None:
        text = say.text()
        return Say(text) if text is not None else None
    if call is None or say is not None:
        node.problem("a rule either says something or calls a tool: give one of `say` and `call`")
        return None
    return _read_call(call)


def _read_call(node: Node) -> Call | None:
    node.only(["tool", "arguments", "beside"])
    tool_node, arguments, others = node.require("tool"), node.get("arguments"), node.get("beside")
    tool = tool_node.text() if tool_node else None
    filled = {key: value.text() or "" for key, value in arguments.items()} if arguments else {}
    beside = [_read_call(other) for other in others.elements()] if others else []
    return Call(tool, filled, tuple(filter(None, beside))) if tool else None


def _pattern(node: Node) -> re.Pattern[str] | None:
    text = node.text()
    try:
        return re.compile(text, re.IGNORECASE) if text is not None else None
    except re.error as error:
        node.problem(f"is not a regular expression: {error}")
        return None
