"""Dialogues of public corpora as turns with what a line would have known of each at the time."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from classifiers.errors import ClassifierError
from classifiers.tool_need.features import Earlier
from classifiers.tool_need.tools import Tool, ToolSet
from classifiers.tool_need.turns import LabelledTurn


def dialogues(
    data: Path,
    name: str,
    group: Callable[[Mapping[str, Any]], str],
    schema: Mapping[str, Sequence[Tool]] | None = None,
    *,
    split: str = "",
) -> list[LabelledTurn]:
    """The turns of a corpus of dialogues, in order.

    Args:
        data: the folder of the corpora.
        name: of the file; its rows have the dialogue ``d``, turn ``t`` from 0, words ``u``, the agent's words before
            ``p``, what was called ``m`` and whether anything was ``y``; the services ``svc``.
        group: what is never on both sides of a split.
        schema: the tools of each service; without it, every tool that is ever called is there at every turn.
        split: only these rows.

    Raises:
        ClassifierError: the file is missing or malformed.
    """
    rows = [row for row in _rows(data / name) if not split or row["s"] == split]
    everything = ToolSet.of(Tool(tool) for tool in sorted({tool for row in rows for tool in row["m"]}))
    sets: dict[tuple[str, ...], ToolSet] = {}
    earlier: defaultdict[str, Earlier] = defaultdict(Earlier)
    turns = []
    for row in sorted(rows, key=lambda row: (row["d"], row["t"])):
        tools = everything
        if schema is not None:
            services = tuple(sorted(row["svc"]))
            if services not in sets:
                sets[services] = ToolSet.of(tool for service in services for tool in schema[service])
            tools = sets[services]
        dialogue, user, needs_tool = row["d"], row["u"], bool(row["y"])
        turns.append(
            LabelledTurn(
                user,
                row["p"],
                row["t"] + 1,
                needs_tool,
                group=group(row),
                tools=tools,
                earlier=earlier[dialogue],
            )
        )
        earlier[dialogue] = earlier[dialogue].then(user).having_called(*row["m"])
    return turns


def schema_of(data: Path, split: str) -> dict[str, list[Tool]]:
    """The tools of each service in a split of Schema-Guided Dialogue. Raises as :func:`dialogues` does."""
    path = data / f"sgd_schema_{split}.json"
    try:
        services = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise ClassifierError(
            path, f"cannot be read ({broken})", "name the folder of the corpora"
        ) from broken
    return {one["service"]: [Tool(intent["n"], intent["d"]) for intent in one["intents"]] for one in services}


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except (OSError, EOFError, ValueError) as broken:
        raise ClassifierError(
            path, f"cannot be read ({broken})", "name the folder of the corpora"
        ) from broken
