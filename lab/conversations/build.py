"""Choose the conversations that ship: ``python -m lab.conversations.build --data CORPORA``.

Only corpora whose licence lets a part be passed on, and of them only conversations that the shipped tool-need model was
not taught on. Same corpora, same files.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from lab.conversations import HERE
from service.cli.policy.conversations import Conversation, read_conversations

MOST = {"tau": 100, "tm4": 60, "clinc": 60}
"""Conversations taken from each corpus and split, the first by name. Schema-Guided Dialogue is share-alike: none."""


def build(corpora: Path, out: Path) -> None:
    """Write one ``*_turns.jsonl.gz`` for each corpus."""
    found = read_conversations(corpora)
    for source, most in MOST.items():
        chosen = [
            conversation for split in ("tune", "judge") for conversation in _first(found, source, split, most)
        ]
        rows = [
            {"s": chosen_one.split, "d": chosen_one.name.removeprefix(f"{source}/"), "t": number}
            | {"u": turn.caller, "p": turn.agent, "y": int(turn.needs_tools)}
            for chosen_one in chosen
            for number, turn in enumerate(chosen_one.turns)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / f"{source}_turns.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
        print(f"{source}: {len(chosen)} conversations, {len(rows)} turns")


def _first(found: Sequence[Conversation], source: str, split: str, most: int) -> list[Conversation]:
    of_both = (one for one in found if one.source == source and one.split == split)
    return sorted(of_both, key=lambda one: one.name)[:most]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m lab.conversations.build", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora")
    build(parser.parse_args().data, HERE)
