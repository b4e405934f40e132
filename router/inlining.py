"""Conditions with the values of params in their places, so that conditions of two policies can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from router.checked import Call, Constant, Listing, Name, Opaque, Tree, walk
from router.conditions import Condition
from router.content import Param
from router.lint.parts import shape


def inlined(condition: Condition, params: Mapping[str, Param]) -> Condition:
    """The condition with values instead of ``params`` in its tree; its program stays as it was."""

    def tree(part: Tree) -> Tree:
        match part:
            case Name(name, offset) if name in params:
                return Constant(params[name].value, offset)
            case Call(function, arguments, offset):
                return Call(function, tuple(map(tree, arguments)), offset)
            case Listing(elements, offset):
                return Listing(tuple(map(tree, elements)), offset)
            case Opaque(parts, offset):
                return Opaque(tuple(map(tree, parts)), offset)
            case _:
                return part

    return replace(condition, tree=tree(condition.tree))


def meaning(condition: Condition) -> str:
    """What a condition says, the same for all ways to lay it out.

    A tree that does not hold all that was said stands with its text, and with the values in it.
    """
    found = shape(condition.tree)
    if found is not None:
        return found
    values = [repr(part.value) for part in walk(condition.tree) if isinstance(part, Constant)]
    return f"{condition.source} with {', '.join(values)}"
