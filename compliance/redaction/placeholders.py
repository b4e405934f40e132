"""Which models see placeholders in the place of what is masked on record, as a redaction policy says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from policies import Node

ALL = "all"
WHEN_LOST = ("withhold", "other_engine")
KEYS = ("engines", "entities", "when_lost")


@dataclass(frozen=True, slots=True)
class Placeholders:
    """What models are not shown. Engines go by their names in the catalogue; ``questions`` is the decision model."""

    engines: frozenset[str] | None = frozenset()
    """Those that see placeholders; ``None`` is all, and then no engine may hear the caller's voice."""
    entities: frozenset[str] | None = None
    """Of what; ``None`` is all that is masked on record."""
    when_lost: str = "withhold"
    """While values cannot be found: ``withhold`` the words from the model, or ask the ``other_engine``."""
    where: str = field(default="", compare=False)
    """``file:line:column`` of the key, for what only the engine catalogue can tell is wrong."""

    @classmethod
    def none(cls) -> Placeholders:
        """No model sees placeholders."""
        return cls()

    def covers(self, engine: str) -> bool:
        """Whether ``engine`` sees placeholders."""
        return self.engines is None or engine in self.engines

    def hides(self, entity: str) -> bool:
        """Whether a value of ``entity`` is one of those."""
        return self.entities is None or entity in self.entities

    @property
    def demanded(self) -> bool:
        """Whether every engine must see placeholders, so that none may be given the caller's voice."""
        return self.engines is None


def read(node: Node | None, *, file: str, entities: Collection[str], kept: Collection[str]) -> Placeholders:
    """Read the key ``placeholders``; problems are reported at their places.

    Args:
        node: its value, if it is there.
        file: the document's name.
        entities: those that the policy knows.
        kept: those that stay readable on record, and so are not found.
    """
    if node is None:
        return Placeholders.none()
    node.only(KEYS)
    engines_node, entities_node, lost_node = (
        node.require("engines"),
        node.get("entities"),
        node.get("when_lost"),
    )
    engines = frozenset[str]() if engines_node is None else _engines(engines_node)
    hidden = None
    if entities_node is not None:
        hidden = frozenset(_entities(entities_node, entities, kept))
    when_lost = None if lost_node is None else lost_node.one_of(WHEN_LOST, what="choice")
    place = engines_node or node
    where = f"{file}:{place.line}:{place.column}"
    return Placeholders(engines, hidden, when_lost or "withhold", where)


def _engines(node: Node) -> frozenset[str] | None:
    if node.value == ALL:
        return None
    if isinstance(node.value, str):
        node.problem(f"must be `{ALL}` or a list of engines of the catalogue, such as [standard, tool]")
        return frozenset()
    names = [name for each in node.elements() if (name := each.text())]
    if isinstance(node.value, list) and not node.value:
        node.problem(f"must name at least one engine, or be `{ALL}`; leave `placeholders` out for none")
    return frozenset(names)


def _entities(node: Node, known: Collection[str], kept: Collection[str]) -> Iterator[str]:
    if isinstance(node.value, list) and not node.value:
        node.problem("must name at least one entity; without the key they are all that is masked")
    for each in node.elements():
        name = each.one_of(known, what="entity")
        if name in kept:
            each.problem(f"{name} is kept on record, so nothing finds it: mask it in `entities` as well")
        elif name is not None:
            yield name
