"""What a condition of a policy rests on, and what it says."""

from __future__ import annotations

from router.checked import Call, Constant, Listing, Name, Opaque, Tree
from router.conditions import Condition
from router.content import Content


def sources(content: Content, condition: Condition) -> frozenset[str]:
    """The signals on which a condition depends: also those from which the derived signals that it reads are made."""
    made_of = {
        each.name: each.reading.reads | (each.only_if.reads if each.only_if else frozenset())
        for each in content.derived
    }
    return condition.reads.union(*(made_of.get(name, frozenset()) for name in condition.reads))


def shape(tree: Tree) -> str | None:
    """What ``tree`` says wherever it is written; ``None`` when the tree does not hold all that was said."""
    match tree:
        case Constant(value):
            return repr(value)
        case Name(name):
            return name
        case Call(function, parts):
            inner = [shape(part) for part in parts]
        case Listing(parts):
            function, inner = "", [shape(part) for part in parts]
        case Opaque():
            return None
    written = [part for part in inner if part is not None]
    return f"{function}({','.join(written)})" if len(written) == len(inner) else None
