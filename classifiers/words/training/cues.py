"""Measure the cues: on sentences of our own, on people's requests to be handed over, on other speech.

``python -m classifiers.words.training.cues --data DATA --held-out SENTENCES``
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.words import cues

CUES: dict[str, Callable[[str], bool]] = {
    cue.__name__: cue
    for cue in (
        cues.asks_for_human, cues.complains, cues.repeats_themselves, cues.corrects, cues.objects_to_voice_analysis
    )
}  # fmt: skip
CONSENT: dict[str, Callable[[str], bool]] = {
    cue.__name__: cue
    for cue in (
        cues.objects_to_recording, cues.allows_recording, cues.objects_to_voice_ai, cues.asks_if_machine,
        cues.agrees, cues.refuses,
    )
}  # fmt: skip
"""Those that have sentences of their own, ``consent.jsonl``."""
OTHER_SPEECH = (
    "redaction/banking77_train.jsonl", "redaction/restaurant8k_train.jsonl", "redaction/slurp_devel.jsonl",
    "redaction/nlupp_banking.jsonl", "redaction/nlupp_hotels.jsonl", "redaction/evi_en.jsonl",
    "tool_need/clinc150.jsonl.gz", "tool_need/tm4_turns.jsonl.gz", "tool_need/tau_turns.jsonl.gz",
    "tool_need/sgd_turns.jsonl.gz",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, the cues that are in it, and those that may be heard in it or not."""

    text: str
    cues: frozenset[str]
    either: frozenset[str]


def sentences(path: Path) -> list[Sentence]:
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return [Sentence(row["text"], frozenset(row["is"]), frozenset(row.get("either", ()))) for row in rows]


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927)."""
    if not trials:
        return 0.0, 1.0
    z = 1.959964
    p, spread = successes / trials, z * z / trials
    middle = p + spread / 2
    half = z * math.sqrt(p * (1 - p) / trials + spread / (4 * trials))
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def recall_and_precision(name: str, rows: Sequence[Sentence]) -> tuple[int, int, int]:
    """Hits, sentences with the cue, sentences in which it was heard."""
    cue = {**CUES, **CONSENT}[name]
    judged = [(name in row.cues, cue(row.text)) for row in rows if name not in row.either]
    return sum(a and b for a, b in judged), sum(a for a, _ in judged), sum(b for _, b in judged)


def _share(successes: int, trials: int) -> str:
    low, high = wilson(successes, trials)
    return f"{successes}/{trials} = {successes / max(trials, 1):.2f} ({low:.2f}–{high:.2f})"


def _texts(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.words.training.cues", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with redaction and tool_need in it")
    parser.add_argument(
        "--held-out", type=Path, required=True, help="our own sentences that no phrase was written for"
    )
    given = parser.parse_args(arguments)
    held_out = sentences(given.held_out)
    print("| cue | recall | precision |\n|---|---|---|")
    for name in CUES:
        hits, there, heard = recall_and_precision(name, held_out)
        print(f"| {name} | {_share(hits, there)} | {_share(hits, heard)} |")
    for corpus in ("nlupp_banking", "nlupp_hotels"):
        rows = list(_texts(given.data / "redaction" / f"{corpus}.jsonl"))
        wanted = ["handoff" in row["intents"] for row in rows]
        heard_in = [cues.asks_for_human(row["text"]) for row in rows]
        both = sum(a and b for a, b in zip(wanted, heard_in, strict=True))
        print(
            f"{corpus}, intent handoff: recall {_share(both, sum(wanted))}, precision {_share(both, sum(heard_in))}"
        )
    print(f"| heard in | utterances | {' | '.join(CUES)} |\n|---|---|{'---|' * len(CUES)}")
    for name in OTHER_SPEECH:
        said = sorted({row.get("text") or row.get("u", "") for row in _texts(given.data / name)})
        rates = [f"{1000 * sum(map(cue, said)) / len(said):.1f}" for cue in CUES.values()]
        print(f"| {Path(name).name.split('.')[0]} | {len(said):,} | {' | '.join(rates)} |")


if __name__ == "__main__":
    main()
