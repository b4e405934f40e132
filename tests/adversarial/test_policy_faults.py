"""Policies that are damaged, and calls on any policy whose providers and classifiers fail: what must not happen."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from classifiers.caller_state import SHIPPED, CallerStateModel
from classifiers.emotion import EmotionReading
from classifiers.tool_need import Earlier, ToolNeed, ToolSet
from compliance.clock import CallClock
from compliance.events import Decided, Event, PartFailed, TurnMoved
from engines.routing import CallerTurn, Route
from policies import DocumentError
from router import Policy
from service.facts import CallFacts, Classifiers
from service.turn_router import TurnRouter
from tests.agreed import Agreed
from tests.random_policies import ENGINES, EVERYTHING, TENANTS, THOROUGH, Document, barred, documents, loaded

pytestmark = pytest.mark.adversarial

PLAIN = YAML(typ="safe").load(EVERYTHING)
LINE_END = re.compile("\r\n|[\n\r]")


def sound(text: str, policy: Policy | DocumentError) -> None:
    """A text either loads or every one of its problems is on a line of its own, at a place in the text."""
    if isinstance(policy, Policy):
        assert set(policy.tenants) <= set(policy.content.overlays)
        return
    lines = LINE_END.split(text)
    assert policy.problems
    for problem in policy.problems:
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.message
    said = str(policy).splitlines()
    assert len(said) == len(policy.problems)
    assert all(re.match(r"[^:]+:\d+:\d+: .", line) for line in said), said


def parsed(text: str) -> Policy | DocumentError:
    try:
        return Policy.parse(text, file="p.yaml", engines=ENGINES)
    except DocumentError as error:
        return error


# -- values and keys that do not belong ------------------------------------------------------------------------
def written(value: Any) -> str:
    """A value as YAML: JSON, but for what JSON has no word for."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"? {written(key)} : {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value)


class Raw:
    """A piece of YAML."""

    def __init__(self, text: str) -> None:
        self.text = text


RAW = (
    *(".nan", ".inf", "-.inf", "1e999", "~", "2026-02-30", "2026-12-31T10:00:00Z", "18:00", "0o17", "1_000", "0b11"),
    *("&a 1", "&t true", "*nowhere", "&r [*r]", "&m {<<: *m}", "{<<: {when: true}}", "{<<: 1}", "!!set {a}"),
    *("!!binary eA==", "!!omap [a: 1]", "!own x", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "? [a]"),
    *("!!python/object:os.system x", "!own {route: fast}", "[[[[[[]]]]]]", "[" * 500 + "]" * 500),
    *("0x" + "f" * 9000, '"\\ud800"', '"\\0\\e[1m\\n"', '"🙂"'),
)  # fmt: skip
KEYS = (1, None, "when", "id", "<<", "", "🙂", Raw("[a, b]"), Raw("0x" + "f" * 9000))
JUNK = st.one_of(
    st.sampled_from(RAW).map(Raw),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    st.sampled_from([[], {}, [[]], {"a": 1}, 10**400, "x" * 5000, date(1, 1, 1), date(9999, 12, 31)]),
    st.sampled_from(["", "true", "turn.count", "p.tool_p > ", "upset > 0", "fast", "otherwise", "consent", "a\nb"]),
    st.sampled_from([f"{'(' * 99}1{')' * 99}", "1" + " + 1" * 999, "turn.count / 0 > 1", "[1].all(x, x > 0)", "'\\"]),
    st.sampled_from([1e300, -1, 2**63, 2**64, 0.1, 99]),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from places(inner, (*path, key))


PLACES = list(places(PLAIN))
GONE = object()


def within(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path, unless it was taken away or swapped."""
    for key in path:
        there = (
            key in value if isinstance(value, dict) else isinstance(value, list) and key in range(len(value))
        )
        if not there:
            return GONE
        value = value[key]
    return value


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The policy that has everything, with up to three values swapped, keys renamed, or entries taken or doubled."""
    document = copy.deepcopy(PLAIN)
    for path in draw(st.lists(st.sampled_from(PLACES[1:]), min_size=1, max_size=3)):
        parent = within(document, path[:-1])
        if not isinstance(parent, dict | list) or within(parent, path[-1:]) is GONE:
            continue
        match draw(st.sampled_from(["swap", "swap", "swap", "rename", "take", "double", "other"])):
            case "swap":
                parent[path[-1]] = draw(JUNK)
            case "rename" if isinstance(parent, dict):
                key = draw(st.sampled_from([f"{path[-1]}x", *KEYS]))
                parent[key] = parent.pop(path[-1])
            case "take":
                parent.pop(path[-1])
            case "double" if isinstance(parent, dict):
                parent[Raw(json.dumps(path[-1]))] = parent[path[-1]]
            case "double":
                parent.append(parent[path[-1]])
            case _:  # something that is right elsewhere
                other = within(PLAIN, draw(st.sampled_from(PLACES)))
                parent[path[-1]] = copy.deepcopy(other)
    return "\n".join(f"? {written(key)}\n: {written(value)}" for key, value in document.items())


def test_the_policy_that_has_everything_loads() -> None:
    assert isinstance(parsed(EVERYTHING), Policy)
    whole = "\n".join(f"? {written(key)}\n: {written(value)}" for key, value in PLAIN.items())
    assert isinstance(parsed(whole), Policy)
    assert Policy.parse(whole).hash == Policy.parse(EVERYTHING).hash


@given(damaged())
@settings(max_examples=60 * THOROUGH, deadline=None)
def test_a_policy_with_values_and_keys_that_do_not_belong_loads_or_says_where_it_is_wrong(text: str) -> None:
    sound(text, parsed(text))


TOKEN = re.compile(r"[\w.\-]+|[^\w\s]|\n +")
PIECES = st.sampled_from(
    [
        *("", " ", "\n", "\t", ":", "- ", "#", "&a ", "*a", "*voice", "<<: ", "? ", "|", ">", "'", '"', "{", "]"),
        *("%YAML 1.1\n---\n", "---\n", "...\n", "!!str ", "\x85", "\u2028", "\ufeff", "\r", "\0", "\x1b", "🙂"),
    ]
)  # fmt: skip


@st.composite
def scribbled(draw: st.DrawFn) -> str:
    """The text of that policy, with some of its words and signs replaced by others."""
    text = EVERYTHING
    for _ in range(draw(st.integers(1, 4))):
        tokens = list(TOKEN.finditer(text))
        at = draw(st.sampled_from(tokens))
        new = draw(
            PIECES
            | st.sampled_from(RAW)
            | st.sampled_from(tokens).map(lambda token: token[0])
            | st.text(max_size=4)
        )
        text = text[: at.start()] + new + text[draw(st.sampled_from([at.start(), at.end(), at.end()])) :]
    return text


@given(scribbled())
@settings(max_examples=60 * THOROUGH, deadline=None)
def test_a_text_that_was_scribbled_in_loads_or_says_where_it_is_wrong(text: str) -> None:
    sound(text, parsed(text))


@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, len(EVERYTHING)), st.binary(max_size=8), st.integers(0, 40)).map(
        lambda cut: EVERYTHING.encode()[: cut[0]] + cut[1] + EVERYTHING.encode()[cut[0] + cut[2] :]
    )
)
@settings(max_examples=60 * THOROUGH, deadline=None)
def test_a_file_of_any_bytes_loads_or_says_where_it_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    found: Policy | DocumentError
    try:
        found = Policy.load(path, engines=ENGINES)
    except DocumentError as error:
        found = error
    sound(content.decode("utf-8", "replace"), found)


@pytest.mark.parametrize("name", ["", "no/such/file.yaml", "\ud800", "\0"])
def test_a_path_that_is_no_file_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(DocumentError, match=r":1:1: cannot be read: "):
        Policy.load(tmp_path / name)


# -- calls on which everything fails -----------------------------------------------------------------------------
class Voice:
    """Hears what it is told to, or fails."""

    def __init__(self) -> None:
        self.upset: float | None = 0.0

    def forget(self) -> None: ...

    def reading(self) -> EmotionReading:
        if self.upset is None:
            raise RuntimeError("no model")
        return EmotionReading("upset" if self.upset > 0.5 else "calm", 0.9, self.upset, 5)


class Need:
    def __init__(self) -> None:
        self.probability: float | None = 0.0

    def ready(self, agent: str, *, turn: int, earlier: Earlier) -> str:
        return agent

    def judge(self, text: str, ready: str, tools: ToolSet | None) -> ToolNeed:
        if self.probability is None:
            raise RuntimeError("no model")
        return ToolNeed(self.probability, 1.0)


STATE = CallerStateModel.load(SHIPPED)
FACTS = st.builds(
    CallFacts,
    language=st.sampled_from(["en", "de", "x" * 65]),  # the last is no language: the signals are refused
    queue=st.sampled_from(["", "vip", "support"]),
    region=st.sampled_from(["eu", "us", "other"]),
    budget_usd=st.sampled_from([0.0, 1.0]),
)
TURN = st.fixed_dictionaries(
    {
        "text": st.sampled_from(
            ["", "hello", "four four one seven", "a person please", "no i said no", "\ud800"]
        ),
        "upset": st.none() | st.floats(0.0, 1.0),
        "need": st.none() | st.sampled_from([0.0, 0.5, 1.0, float("nan")]),
        "failures": st.integers(0, 5),
        "passes_s": st.sampled_from([0.0, 10.0, 40.0]),
        "cost_usd": st.sampled_from([0.0, 0.4]),
    }
)


@given(documents(), st.sampled_from(TENANTS), FACTS, st.booleans(), st.lists(TURN, min_size=1, max_size=6))
@settings(max_examples=40 * THOROUGH, deadline=None)
def test_no_guard_is_broken_on_a_call_on_which_providers_and_classifiers_fail(
    document: Document, tenant: str, caller: CallFacts, voice_ai: bool, turns: list[dict[str, Any]]
) -> None:
    policy, events, now_s = loaded(document).for_tenant(tenant), list[Event](), [100.0]
    voice, need = Voice(), Need()
    scorer: Any = need
    router = TurnRouter(
        policy,
        classifiers=Classifiers(scorer, STATE),
        voice=voice,
        facts=caller,
        consents=Agreed(voice_ai=voice_ai),
        clock=CallClock(monotonic=lambda: now_s[0], wall=lambda: now_s[0]),
        emit=events.append,
        call_id="call",
        now=lambda: datetime.fromtimestamp(1_790_000_000 + now_s[0], UTC),
    )
    for number, turn in enumerate(turns, 1):
        voice.upset, need.probability = turn["upset"], turn["need"]
        now_s[0] += turn["passes_s"]
        router.tally.cost_usd += turn["cost_usd"]
        before = len(events)
        preview = router.preview(turn["text"])
        assert not events[before:]
        route = router.decide(CallerTurn(turn["text"], number * 1000.0, number * 1000.0 + 500.0))
        assert preview.engine not in preview.denied
        (decided,) = (event for event in events[before:] if isinstance(event, Decided))
        may = allowed(policy, route, decided)
        assert decided.engine == route.engine
        assert route.engine in may
        engine, failed = route.engine, {route.engine}
        for _ in range(turn["failures"]):
            router.failed(engine)
            following = router.fallback(route, failed)
            if following is None:
                assert may <= failed  # nothing is given up while an engine is left that may answer
                break
            assert following in may - failed
            router.moved(following)
            moved = events[-1]
            assert isinstance(moved, TurnMoved)
            assert (moved.from_engine, moved.to_engine) == (engine, following)
            engine = following
            failed.add(following)
        for name in policy.engines:
            assert not router.warm(name) or policy.content.engines[name].warm is not None
    for event in events:
        assert json.loads(event.model_dump_json())


def allowed(policy: Policy, route: Route, decided: Decided) -> set[str]:
    """The engines that may answer a turn, worked out from what is on record of it."""
    if decided.rule == "default-engine":  # routing itself failed
        return {policy.default_engine}
    assert set(decided.denied) == set(route.denied) == barred(policy, dict(decided.signals))
    return set(policy.engines) - set(route.denied)


def test_a_call_whose_routing_fails_says_so_at_every_turn() -> None:
    events = list[Event]()
    scorer: Any = Need()
    router = TurnRouter(
        Policy.parse(EVERYTHING),
        classifiers=Classifiers(scorer, STATE),
        voice=Voice(),
        facts=CallFacts(language="x" * 65),
        consents=Agreed(voice_ai=True),
        clock=CallClock(),
        emit=events.append,
        call_id="call",
    )
    for number in (1, 2):
        route = router.decide(CallerTurn("hello", 0.0, 1.0))
        assert (route.turn, route.engine) == (number, "standard")
        assert router.fallback(route, {"standard"}) is None  # no guard was asked, so none may have said no
    failures = [event for event in events if isinstance(event, PartFailed)]
    assert [(failure.part, failure.error) for failure in failures] == [("router", "SignalError")] * 2
