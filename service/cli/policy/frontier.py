"""``patchbay policy frontier``: a policy beside every fixed engine and an oracle, over labelled conversations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from classifiers.tool_need import ToolNeedModel
from lab.conversations import HERE as SHIPPED_CONVERSATIONS
from policies import shipped
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.frontier import Standing
from router.whatif.mix import Mix
from router.whatif.sensitivity import Lead
from service.cli.errors import CommandError
from service.cli.policy.frontier_plot import plot
from service.cli.policy.frontier_tables import frontier_view
from service.cli.policy.judging import Frontier, Wanted, judged
from service.cli.policy.shared import interval_json, print_json, stated_json

SCHEMA = "patchbay.frontier/1"


def frontier(
    path: Path,
    *,
    policies: Sequence[Path],
    data: Path | None,
    calls: int,
    seed: int,
    mix: Path | None,
    assume: Path | None,
    tool_need: Path,
    sensitivity: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Print how the policy stands; returns 1 when a fixed engine or another policy is not clearly worse.

    Args:
        path: the policy that is judged, and whose guards all are held to.
        policies: to be put beside it; the published reference logic always is.
        data: a folder of labelled conversations; by default the few that ship.
        calls: at most so many of each corpus; 0: all.
        seed: of what is drawn around the words, and of the intervals.
        mix: how callers feel, what they consent to and what is down; by default the shipped mix.
        assume: what is assumed of the engines; by default the shipped table.
        tool_need: the folder of the tool-need model.
        sensitivity: also say how far the assumptions may move before the verdict flips.
        out: a folder for ``frontier.svg`` and ``frontier.json``.
        as_json: JSON instead of tables.

    Raises:
        policies.DocumentError: a document has errors, or nothing is assumed of an engine.
        CommandError: the conversations cannot be used, or ``out`` cannot be written.
        classifiers.ClassifierError: the tool-need model cannot be read.
    """
    subject = Policy.load(path)
    others = [Policy.load(one) for one in (*policies, shipped("reference.yaml"))]
    wanted = Wanted(
        subject,
        [one for one in others if one.hash != subject.hash],
        Assumptions.load(assume or shipped("assumptions.yaml")),
        Mix.load(mix or shipped("mix.yaml")),
        data or SHIPPED_CONVERSATIONS,
        calls,
        seed,
    )
    found = judged(wanted, ToolNeedModel.load(tool_need), sensitivity=sensitivity)
    if out is not None:
        _write(out, found)
    if as_json:
        print_json(_json(found))
    else:
        console = Console()
        console.print(frontier_view(found))
        if out is not None:
            console.print(f"Plot: {out / 'frontier.svg'}", markup=False, highlight=False, soft_wrap=True)
    return 0 if found.holds else 1


# -- files and JSON -------------------------------------------------------------------------------------------
def _write(out: Path, found: Frontier) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "frontier.svg").write_text(plot(found.standings, found.basis), encoding="utf-8")
        (out / "frontier.json").write_text(json.dumps(_json(found), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{out}: cannot be written ({error.strerror}). Choose another folder with --out."
        ) from error


def _json(found: Frontier) -> dict[str, Any]:
    wanted = found.wanted
    return {
        "schema": SCHEMA,
        "simulated": True,
        "holds": found.holds,
        "data": str(wanted.folder),
        "calls": dict(found.calls),
        "turns": found.turns,
        "seed": wanted.seed,
        "policies": [
            {"name": one.name, "version": one.version, "hash": one.hash}
            for one in (wanted.subject, *wanted.others)
        ],
        "mix": {"file": wanted.mix.file, "stated": stated_json(wanted.mix.stated)},
        "assumptions": {
            "file": wanted.assumptions.file,
            "stated": stated_json(wanted.assumptions.stated),
            "value": asdict(wanted.assumptions.value),
            "engines": {name: asdict(engine) for name, engine in wanted.assumptions.engines.items()},
        },
        "standings": [_standing_json(one) for one in found.standings],
        "by_corpus": [
            {
                "corpus": one.name,
                "calls": one.calls,
                "turns": one.turns,
                "utility": interval_json(one.utility),
                "rival": one.rival,
                "lead": interval_json(one.lead),
                "to_oracle": interval_json(one.to_oracle),
                "switches_median": one.switches_median,
            }
            for one in found.by_corpus
        ],
        "sensitivity": [
            {
                "figure": one.figure,
                "lower": _lead_json(one.lower),
                "higher": _lead_json(one.higher),
                "flips_below": one.flips_below,
                "flips_above": one.flips_above,
            }
            for one in found.sensitivities
        ],
        "circumstances": [
            {"what": one.what, "lead": _lead_json(one.lead), "switches_median": one.switches_median}
            for one in found.circumstances
        ],
    }


def _standing_json(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "quality": interval_json(one.quality),
        "usd": interval_json(one.usd),
        "heard_p50_ms": one.heard_p50_ms,
        "heard_p95_ms": one.heard_p95_ms,
        "heard_p99_ms": one.heard_p99_ms,
        "switches_median": one.switches_median,
        "switches_mean": one.switches_mean,
        "violations_per_1k": one.violations_per_1k,
        "utility": interval_json(one.utility),
        "lead": interval_json(one.lead),
    }


def _lead_json(lead: Lead) -> dict[str, Any]:
    return {"rival": lead.rival, "by": interval_json(lead.by)}
