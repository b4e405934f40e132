"""Whole calls with a faulty provider: ``python -m lab.bench faults [--calls 216] [--at-once 3] [--json]``.

One provider at a time, or all of OpenAI's at once, refuses, hangs, cuts its answers, stalls in them, sends malformed
frames or answers ten times slower: in half of the calls from the start, in the others from the first answer on. Every
call is judged by :mod:`lab.bench.fault_verdicts`, and the log is verified.

Verdicts are kept in ``--out`` as they come: run again, only what is missing is called. Those of other code, models or
policies are left out. Everything is *simulated*: the language model is scripted, and delays are fixed at the published
medians. Waits are real time on this machine: run it on one that is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from compliance.errors import LedgerError
from lab.bench.fault_calls import run
from lab.bench.fault_rows import missing
from lab.bench.fault_tables import not_struck, page, problems, table
from lab.bench.fault_verdicts import Verdict
from service.exchange import open_ledger
from service.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = "faults.md"
MEASURED = ("*.py", "*.yaml", "*.onnx", "*.json", "*.toml", "*.lock", ":!tests")
"""What a change of makes other figures, for git: code, policies, models and what is installed."""


def commit(root: Path = ROOT) -> str:
    """What is measured: the last commit of it, and a digest of what is changed since; ``unknown`` without git."""
    try:
        named = _git(root, "log", "-1", "--format=%h")
        changed = _git(root, "diff", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{named}-dirty-{hashlib.sha256(changed.encode()).hexdigest()[:8]}" if changed else named


def _git(root: Path, *arguments: str) -> str:
    """What git says about the files of :data:`MEASURED`."""
    command = ("git", *arguments, "--", *MEASURED)
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603 -- as written here
    return done.stdout.strip()


def kept_in(file: Path, measured: str) -> tuple[list[Verdict], int]:
    """The verdicts of earlier runs of the same commit, and how many there are of others, which say other things."""
    if not file.exists():
        return [], 0
    earlier = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kept = [Verdict.of_json(one) for one in earlier if one["commit"] == measured]
    return kept, len(earlier) - len(kept)


def verified(folder: Path) -> bool:
    """Whether the log of all calls made in ``folder`` verifies."""
    try:
        ledger = open_ledger(
            Settings().model_copy(update={"ledger": str(folder / "ledger.sqlite")}), anchored=False
        )
    except LedgerError as error:
        print(f"the log cannot be opened: {error}", file=sys.stderr)
        return False
    try:
        return ledger.verify().ok
    finally:
        ledger.close()


def main(arguments: Sequence[str] = ()) -> int:
    """Make the calls and print what became of them; returns 1 when anything is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench faults", description=__doc__)
    parser.add_argument("--calls", type=int, default=36, help="calls with a fault, in all")
    parser.add_argument("--at-once", type=int, default=2, help="calls at the same time")
    parser.add_argument("--only", default="", help="rows whose name holds this, such as 'openai.chat hang'")
    parser.add_argument("--out", type=Path, default=Path(".patchbay/faults"), help="where verdicts are kept")
    parser.add_argument("--markdown", type=Path, help=f"the page to write; by default {PAGE} in --out")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    measured, file = commit(), options.out / "verdicts.jsonl"
    kept, others = kept_in(file, measured)
    if others:
        print(f"{others} verdicts in {file} are of another commit and are left out", file=sys.stderr)
    done = frozenset((one.provider, one.fault, one.number) for one in kept)
    wanted = [each for each in missing(options.calls, done) if options.only in each[0].name]
    with Progress(console=Console(stderr=True)) as progress, file.open("a", encoding="utf-8") as written:
        task = progress.add_task("calls", total=sum(len(numbers) for _, numbers in wanted))

        def keep(verdict: Verdict) -> None:
            kept.append(verdict)
            written.write(json.dumps(verdict.as_json()) + "\n")
            written.flush()
            progress.update(task, advance=1, description=f"{verdict.provider} {verdict.fault}")

        if wanted:
            asyncio.run(run(wanted, options.out, at_once=options.at_once, commit=measured, keep=keep))
    shown = [
        one for one in kept if options.only in (f"{one.provider} {one.fault}" if one.provider else "no fault")
    ]
    good = verified(options.out)
    written_to = options.markdown or options.out / PAGE
    written_to.write_text(
        page(shown, verified=good, commit=measured, at_once=options.at_once), encoding="utf-8"
    )
    if options.json:
        json.dump({"verified": good, "calls": [one.as_json() for one in shown]}, sys.stdout, indent=2)
        print()
    else:
        console = Console(width=200)
        console.print(table(shown))
        for sentence in problems(shown):
            console.print(sentence, style="red", markup=False, highlight=False)
        faulty = [one for one in shown if one.provider]
        missed = not_struck(shown)
        console.print(
            f"{len(faulty) - len(missed)} of {len(faulty)} calls with a faulty provider met its fault"
        )
        for call in missed:
            console.print(f"not struck: {call}", markup=False, highlight=False)
        console.print("the log verifies" if good else "THE LOG DOES NOT VERIFY")
    return 0 if good and all(one.good for one in shown) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
