"""``patchbay policy tune``: params moved inside their ranges towards an objective, judged on calls held out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from classifiers.tool_need import ToolNeedModel
from compliance.events import ToolCalled
from compliance.ledger import Ledger
from lab.conversations import HERE as SHIPPED_CONVERSATIONS
from policies import shipped
from router import ParamError, Policy
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.circumstances import around
from router.whatif.mix import Mix
from router.whatif.rewriting import rewritten
from router.whatif.tune import Objective, Trial, Tuned, chosen, of_emotion, tunable, tune
from service.cli.errors import CommandError
from service.cli.policy.conversations import Split, labelled_calls
from service.cli.policy.shared import each, interval_json, print_json, reading, stated_json
from service.cli.policy.tune_tables import tuned_view
from service.history import recorded

SCHEMA = "patchbay.tune/1"


@dataclass(frozen=True, slots=True)
class Material:
    """Labelled calls to tune on, others to judge on, and what they are."""

    tuned_on: Sequence[PastCall]
    held_out: Sequence[PastCall]
    notes: Sequence[str]
    emotion_labelled: bool
    """Whether it is known who was upset; nothing tunes what reads emotion otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to search."""

    objective: Objective
    params: Sequence[str]
    """By name; empty: all that may be moved."""
    trials: int
    calls: int
    """At most, of each corpus; 0: all."""
    seed: int


def tune_policy(
    path: Path,
    options: Options,
    *,
    data: Path | None,
    ledger: str,
    mix: Path | None,
    assume: Path | None,
    tool_need: Path,
    out: Path | None,
    as_json: bool,
) -> int:
    """Print what the search found; returns 1 when the result breaks its limits on the calls held out.

    Args:
        path: the policy.
        options: how to search.
        data: a folder of labelled conversations; by default the few that ship.
        ledger: a ledger to take calls from instead; empty: none.
        mix: what is drawn around the words of conversations; by default the shipped mix.
        assume: what is assumed of the engines; by default the shipped table.
        tool_need: the folder of the tool-need model.
        out: where to write the tuned policy, if it is recommended.
        as_json: JSON instead of tables.

    Raises:
        policies.DocumentError: a document has errors, or nothing is assumed of an engine.
        CommandError: there are no calls to tune or judge on, a param cannot be tuned, or ``out`` cannot be written.
        compliance.errors.ComplianceError: the ledger cannot be read.
        classifiers.ClassifierError: the tool-need model cannot be read.
    """
    policy = Policy.load(path)
    assumptions = Assumptions.load(assume or shipped("assumptions.yaml"))
    if ledger:
        with reading(ledger, "policy tune") as record:
            material = _from_record(record)
    else:
        model = ToolNeedModel.load(tool_need)
        material = _from_words(
            data or SHIPPED_CONVERSATIONS, model, Mix.load(mix or shipped("mix.yaml")), options
        )
    names = _names(policy, options.params, material)
    if not material.tuned_on or not material.held_out:
        raise CommandError("there are too few calls: some to tune on and others to judge on are needed")
    with _Bar(options.trials) as bar:
        found = tune(
            policy,
            assumptions,
            material.tuned_on,
            material.held_out,
            names=names,
            objective=options.objective,
            trials=options.trials,
            seed=options.seed,
            tried=bar.tried,
        )
    written = out if out is not None and found.recommended else None
    if written is not None:
        _write(written, rewritten(policy.content, {change.name: change.new for change in found.changes}))
    if as_json:
        print_json(_json(policy, assumptions, material, options, found, written))
    else:
        view = tuned_view(policy, found, options.objective, assumptions, material.notes, written, asked=out)
        Console().print(view)
    return 0 if found.keeps_limits else 1


def _names(policy: Policy, asked: Sequence[str], material: Material) -> Sequence[str]:
    try:
        names = chosen(policy.content, asked) if asked else tunable(policy.content)
    except ParamError as error:
        raise CommandError(str(error)) from error
    unheard = of_emotion(policy.content) if not material.emotion_labelled else frozenset()
    if asked and (deaf := unheard.intersection(names)):
        raise CommandError(
            f"{', '.join(sorted(deaf))}: the record does not say who was upset, so nothing can tune this"
        )
    left = [name for name in names if name not in unheard]
    if not left:
        raise CommandError(
            f"{policy.content.file}: no param can be tuned: a rule must read it, no guard, within min and max"
        )
    return left


# -- calls ----------------------------------------------------------------------------------------------------
def _from_words(folder: Path, tool_need: ToolNeedModel, mix: Mix, options: Options) -> Material:
    def calls(split: Split, most: int) -> list[PastCall]:
        found = labelled_calls(folder, split, tool_need, most=most)
        return [around(call, mix, seed=options.seed) for some in found.values() for call in some]

    notes = (
        f"Calls: {folder}; the two splits share no conversation, and none taught the shipped tool-need model.",
        f"Overlaid and simulated, by {mix.file}: how callers feel and how well that is heard, consents, outages.",
    )
    return Material(calls("tune", options.calls), calls("judge", options.calls), notes, emotion_labelled=True)


def _from_record(ledger: Ledger) -> Material:
    """Half of the recorded calls to tune on, by the hash of their ids.

    A turn needed tools if the engine used one. Where an engine that never uses any answered, that is not known, and
    the tool-need classifier's verdict stands in.
    """
    found = recorded(ledger, each(ledger.calls(), "Reading"))
    used = {call.call_id: _turns_with_tools(ledger, call.call_id) for call in found.calls}
    able = {
        turn.engine
        for call in found.calls
        for number, turn in enumerate(call.turns, 1)
        if int(turn.signals.get("turn.count", number)) in used[call.call_id]
    }
    calls = [
        replace(
            call,
            turns=tuple(
                replace(
                    turn,
                    needs_tools=int(turn.signals.get("turn.count", number)) in used[call.call_id]
                    if turn.engine in able
                    else turn.signals.get("turn.needs_tools") is True,
                )
                for number, turn in enumerate(call.turns, 1)
            ),
        )
        for call in found.calls
    ]
    halves: tuple[list[PastCall], list[PastCall]] = ([], [])
    for call in calls:
        halves[zlib.crc32(call.call_id.encode()) % 2].append(call)
    notes = (
        "A turn counts as one that needs tools if a tool was used in it; where an engine answered that never uses any,"
        " the classifier's verdict stands in. Signals are taken as they were.",
        "The record does not say who was upset, so what reads the caller's emotion is left as it is.",
    )
    return Material(*halves, notes, emotion_labelled=False)


def _turns_with_tools(ledger: Ledger, call_id: str) -> frozenset[int]:
    events = ledger.events(call_id, kinds=("tool_called",))
    return frozenset(event.turn for event in events if isinstance(event, ToolCalled))


# -- what is shown and written ----------------------------------------------------------------------------------
class _Bar(AbstractContextManager["_Bar"]):
    """Trials as they go, on standard error, for people."""

    def __init__(self, trials: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("Trying", total=trials)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tried(self, trial: Trial) -> None:
        self._progress.update(self._task, advance=1)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(
            f"{out}: cannot be written ({error.strerror}). Choose another place with --out."
        ) from error


def _json(
    policy: Policy,
    assumptions: Assumptions,
    material: Material,
    options: Options,
    found: Tuned,
    written: Path | None,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "policy": {"name": policy.name, "version": policy.version, "hash": policy.hash},
        "objective": options.objective,
        "assumptions": {"file": assumptions.file, "stated": stated_json(assumptions.stated)},
        "notes": list(material.notes),
        "calls": {"tuned_on": len(material.tuned_on), "held_out": len(material.held_out)},
        "seed": options.seed,
        "trials": found.trials,
        "changes": [
            {"param": one.name, "old": one.old, "new": one.new, "worth": interval_json(one.worth)}
            for one in found.changes
        ],
        "before": interval_json(found.before),
        "after": interval_json(found.after),
        "gain": interval_json(found.gain),
        "gain_when_tuned": found.gain_when_tuned,
        "switches_median": found.switches_median,
        "violations": found.violations,
        "keeps_limits": found.keeps_limits,
        "recommended": found.recommended,
        "written": str(written) if written else None,
    }
