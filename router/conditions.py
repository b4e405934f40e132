"""Conditions in CEL: compiled against the signal catalogue with errors an operator can act on, and evaluated
together, because one evaluation of a list costs a fraction of a list of evaluations.

Language: https://github.com/google/cel-spec. Library: ``cel-expr-python``, whose evaluation errors come back
as values rather than exceptions; here they become :class:`Failed`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]  # stubs without a py.typed marker

from policies.document import Node, did_you_mean
from router.checked import Call, Constant, Listing, Name, Tree, read, walk
from router.signals import Kind, Scalar, Spec

_TYPES = {
    Kind.BOOL: cel.Type.BOOL,
    Kind.INT: cel.Type.INT,
    Kind.DOUBLE: cel.Type.DOUBLE,
    Kind.ENUM: cel.Type.STRING,
    Kind.TEXT: cel.Type.STRING,
}


@dataclass(frozen=True, slots=True)
class Failed:
    """A condition that has no value for these signals, such as a division by zero."""

    reason: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression. ``reads`` names the signals and params in it; ``tree`` is for lint.

    ``line`` and ``column`` are where its text begins in the file.
    """

    source: str
    program: cel.Expression
    tree: Tree
    line: int = 0
    column: int = 0

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(part.name for part in walk(self.tree) if isinstance(part, Name))

    @property
    def always(self) -> bool:
        """It is the literal ``true``."""
        return isinstance(self.tree, Constant) and self.tree.value is True

    def evaluate(self, values: Mapping[str, Scalar]) -> Scalar | Failed:
        value: Scalar | Failed = _run(self.program, values)
        return value


def _run(program: cel.Expression, values: Mapping[str, Scalar]) -> Any:
    """The plain value of an expression, or :class:`Failed`."""
    try:
        result = program.eval(data=values)
        # The value of an error is its message, and a message is true: ask for the type first.
        return Failed(str(result.value())) if result.type() == cel.Type.ERROR else result.plain_value()
    except Exception as error:  # the binding converts arguments with whatever Python raises
        return Failed(str(error))


_BATCH = 8


class Fused:
    """Conditions that are evaluated as one list expression; when any of them fails, the list as a whole has no
    value, so they are evaluated in batches, and those of the batch that fails one by one."""

    def __init__(self, environment: cel.Env, conditions: Iterable[Condition], known: Collection[str]) -> None:
        self.conditions = tuple(conditions)
        reads = frozenset[str]().union(*(condition.reads for condition in self.conditions))
        # The binding converts every value that it is given; those that no condition reads took half of the time.
        self._reads = tuple(sorted(reads.intersection(known)))
        # On lines of their own, so that a comment in one does not swallow the next.
        source = "[" + ",".join(f"\n{condition.source}\n" for condition in self.conditions) + "]"
        try:
            self._program: cel.Expression | None = environment.compile(source)
        except (RuntimeError, ValueError):  # each is within CEL's limits, together they are not
            self._program = None
        batches = range(0, len(self.conditions), _BATCH) if len(self.conditions) > _BATCH else ()
        self._batches = [Fused(environment, self.conditions[at : at + _BATCH], known) for at in batches]

    def evaluate(self, values: Mapping[str, Scalar]) -> Sequence[Scalar | Failed]:
        """The value of each condition, in order."""
        if not self.conditions:
            return ()
        read = {name: values[name] for name in self._reads if name in values}
        if self._program is not None:
            together: list[Scalar] | Failed = _run(self._program, read)
            if not isinstance(together, Failed):
                return together
        if self._batches:
            return [value for batch in self._batches for value in batch.evaluate(values)]
        return [_run(condition.program, read) for condition in self.conditions]


class Language:
    """CEL over the variables of one policy: its signals, params and derived signals."""

    def __init__(self, variables: Mapping[str, Spec]) -> None:
        self._variables = variables
        self._environment = cel.NewEnv(
            variables={name: _TYPES[spec.kind] for name, spec in variables.items()}
        )

    def fuse(self, conditions: Iterable[Condition]) -> Fused:
        return Fused(self._environment, conditions, self._variables)

    def compile(self, node: Node, *, gives: Kind = Kind.BOOL) -> Condition | None:
        """The condition in ``node``; reports every problem, at its place in the file, and gives ``None``."""
        source = _source(node)
        if source is None:
            return None
        try:
            program = self._environment.compile(source)
        except (RuntimeError, ValueError) as error:
            self._explain(node, source, str(error))
            return None
        found = program.return_type()
        if found != _TYPES[gives]:
            hint = " (write 0.0, not 0)" if gives is Kind.DOUBLE and found == cel.Type.INT else ""
            node.problem(f"must be {_KINDS[gives]}, is {_type_name(found.name())}{hint}", offset=0)
            return None
        condition = Condition(source, program, read(program.serialize()), *node.locate(0))
        self._lint(node, condition)
        return condition

    # -- what the compiler said -----------------------------------------------------------------------
    def _explain(self, node: Node, source: str, complaint: str) -> None:
        complaints = list(_COMPLAINT.finditer(complaint))
        if not complaints:
            node.problem(_beyond(complaint))
        for found in complaints:
            lines = source.split("\n")
            line, column, message = int(found[1]), int(found[2]), found[3]
            offset = min(sum(len(text) + 1 for text in lines[: line - 1]) + column - 1, len(source))
            if missing := _UNDECLARED.match(message):
                name = missing[1]
                begins = source.rfind(name, 0, offset + len(name))
                offset = begins if begins >= 0 else offset
                message = self._unknown(name, called=source[offset + len(name) :].lstrip().startswith("("))
            elif overload := _OVERLOAD.match(message):
                message = _mismatch(overload[1], overload[2], source, offset)
            elif message.startswith("Syntax error"):
                message = _syntax(message, source[:offset])
            node.problem(message, offset=offset)

    def _unknown(self, name: str, *, called: bool) -> str:
        if called:
            return f"unknown function '{name}'"
        what = "param" if name.startswith("p.") else "signal"
        return f"unknown {what} '{name}'{did_you_mean(name, self._variables)}"

    # -- what the compiler does not see ---------------------------------------------------------------
    def _lint(self, node: Node, condition: Condition) -> None:
        for part in walk(condition.tree):
            match part:
                case Call("_==_" | "_!=_", (Name(name), Constant(str()) as literal)):
                    self._choice(node, name, literal)
                case Call("_==_" | "_!=_", (Constant(str()) as literal, Name(name))):
                    self._choice(node, name, literal)
                case Call("@in", (Name(name), Listing(literals))):
                    for element in literals:
                        self._choice(node, name, element)
                case Call("_/_" | "_%_", (_, Constant(int(0)) as zero)):
                    node.problem("always fails: it divides by zero", offset=zero.offset)
                case Call("matches", (_, Constant(str(pattern)) as literal)) if reason := _bad_pattern(
                    pattern
                ):
                    node.problem(f"is not a regular expression: {reason}", offset=literal.offset)
                case _:
                    pass

    def _choice(self, node: Node, name: str, literal: Tree) -> None:
        spec = self._variables.get(name)
        if spec is None or spec.kind is not Kind.ENUM or not isinstance(literal, Constant):
            return
        if isinstance(literal.value, str) and literal.value not in spec.choices:
            near = did_you_mean(literal.value, spec.choices)
            node.problem(f"{name} is never '{literal.value}'{near}", offset=literal.offset)


_KINDS = {Kind.BOOL: "true or false", Kind.DOUBLE: "a number with a decimal point"}
_COMPLAINT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']+)' applied to '([^']*)'")
_PATTERN = cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("''.matches(pattern)")
_WORDS = {"and": "&&", "or": "||", "not": "!", "=": "=="}


def _source(node: Node) -> str | None:
    if isinstance(node.value, bool):  # YAML reads an unquoted `true` as a Boolean
        return str(node.value).lower()
    if node.value is None:
        node.problem("is empty: write a condition, or true")
        return None
    return node.text()


def _bad_pattern(pattern: str) -> str | None:
    """Why RE2 refuses ``pattern``, by asking it; https://github.com/google/re2/wiki/Syntax."""
    result = _PATTERN.eval(data={"pattern": pattern})
    if result.type() != cel.Type.ERROR:
        return None
    return str(result.value()).removeprefix("INVALID_ARGUMENT: invalid regular expression: ")


def _type_name(cel_name: str) -> str:
    names = {"INT": "a whole number", "DOUBLE": "a number", "STRING": "text", "BOOL": "true or false"}
    return names.get(cel_name, cel_name.lower())


def _mismatch(function: str, types: str, source: str, offset: int) -> str:
    operator = function.strip("_@").replace("_:_", ":") or function
    message = f"'{operator}' does not apply to {types}"
    left, right = source[:offset], source[offset + len(operator) :]
    before, after = (
        re.search(r"(?<![\w.])(\d+(?:\.\d+)?)\s*$", left),
        re.match(r"\s*(-?\d+(?:\.\d+)?)(?![\w.])", right),
    )
    literal = after or before
    if literal and types in ("(double, int)", "(int, double)"):
        written = literal[1]
        if "." not in written:
            return f"{message} (write {written}.0)"
        if float(written).is_integer():
            return f"{message} (write {int(float(written))})"
    if types in ("(double, int)", "(int, double)"):
        return f"{message} (give a param a decimal point, or write double(...))"
    if function == "!_":
        return f"'!' does not apply to {types}"
    return message


def _beyond(complaint: str) -> str:
    """What to say when the compiler gives up on the whole of an expression."""
    if "recursion" in complaint:
        return "is too deep for CEL, which follows 32 operators or brackets inside each other: split it up"
    if "codepoint limit" in complaint:
        return "is too long for CEL, which reads 100,000 characters: split it up"
    return f"is not a condition: {' '.join(complaint.split())}"


def _syntax(complaint: str, before: str) -> str:
    text = complaint.removeprefix("Syntax error: ").split(" expecting ")[0].replace("'<EOF>'", "the end")
    word = re.search(r"input '(and|or|not|=)'|error at: '(=)|\b(not)\s*$", f"{text} {before}")
    hint = f" (write {_WORDS[word[1] or word[2] or word[3]]})" if word else ""
    return f"is not a condition: {text}{hint}"
