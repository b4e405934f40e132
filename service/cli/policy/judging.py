"""A policy judged on labelled conversations, beside every fixed engine, other policies and an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from classifiers.tool_need import ToolNeedModel
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.circumstances import around
from router.whatif.frontier import Contender, Course, Group, Kind, Run, Standing, groups, rivals, standings
from router.whatif.mix import Mix
from router.whatif.sensitivity import Lead, Sensitivity, Verdict, figures
from service.cli.policy.conversations import labelled_calls
from service.cli.policy.shared import each


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    subject: Policy
    """The policy that is judged."""
    others: Sequence[Policy]
    assumptions: Assumptions
    mix: Mix
    folder: Path
    """Of labelled conversations."""
    calls: int
    """At most, of each corpus; 0: all."""
    seed: int


@dataclass(frozen=True, slots=True)
class Circumstance:
    """How the policy does when something in the mix is otherwise."""

    what: str
    lead: Lead
    switches_median: float


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is shown."""

    wanted: Wanted
    calls: Mapping[str, int]
    turns: int
    standings: Sequence[Standing]
    """The policy that is judged first."""
    by_corpus: Sequence[Group]
    sensitivities: Sequence[Sensitivity]
    circumstances: Sequence[Circumstance]

    @property
    def basis(self) -> str:
        """What was judged on, in a line."""
        corpora = ", ".join(f"{corpus} {calls:,}" for corpus, calls in self.calls.items())
        return f"{sum(self.calls.values()):,} labelled calls ({corpora}), {self.turns:,} turns"

    @property
    def rivals(self) -> Sequence[Standing]:
        return [one for one in self.standings[1:] if one.kind is not Kind.ORACLE]

    @property
    def holds(self) -> bool:
        """Better than every rival, clear of zero; at most one switch a call; no guard passed over."""
        subject = self.standings[0]
        clear = all(
            one.lead is not None and one.lead.low is not None and one.lead.low > 0 for one in self.rivals
        )
        return clear and subject.switches_median <= 1 and subject.violations_per_1k == 0


def judged(wanted: Wanted, tool_need: ToolNeedModel, *, sensitivity: bool = False) -> Frontier:
    """The policy beside its rivals. Raises :class:`CommandError` when the conversations cannot be used."""
    by_corpus = labelled_calls(wanted.folder, "judge", tool_need, most=wanted.calls)
    said = [call for some in by_corpus.values() for call in some]
    course, subject, others = _runs(wanted, said, wanted.mix)
    moved = list(figures(wanted.assumptions)) if sensitivity else []
    otherwise = _otherwise(wanted.mix) if sensitivity else {}
    verdict = Verdict(course, subject.contender, _beside(others))
    return Frontier(
        wanted=wanted,
        calls={corpus: len(some) for corpus, some in by_corpus.items()},
        turns=len(course.scorer.need),
        standings=standings(course, subject, others),
        by_corpus=groups(
            subject, others, [corpus for corpus, some in by_corpus.items() for _ in some], seed=wanted.seed
        ),
        sensitivities=[verdict.sensitivity(*one) for one in each(moved, "Moving assumptions")],
        circumstances=[
            _under(what, wanted, said, mix)
            for what, mix in each([*otherwise.items()], "Changing circumstances")
        ],
    )


def _runs(wanted: Wanted, said: Sequence[PastCall], mix: Mix) -> tuple[Course, Run, list[Run]]:
    calls = [around(call, mix, seed=wanted.seed) for call in said]
    course = Course(wanted.assumptions, calls, wanted.subject, seed=wanted.seed)
    subject, *others = (course.run(course.policy(policy)) for policy in (wanted.subject, *wanted.others))
    return course, subject, [*others, *(course.run(contender) for contender in rivals(course))]


def _beside(others: Sequence[Run]) -> list[Contender]:
    return [run.contender for run in others if run.contender.kind is not Kind.ORACLE]


def _under(what: str, wanted: Wanted, said: Sequence[PastCall], mix: Mix) -> Circumstance:
    course, subject, others = _runs(wanted, said, mix)
    lead = Verdict(course, subject.contender, _beside(others)).lead(wanted.assumptions)
    return Circumstance(what, lead, float(np.median(subject.outcomes.switches)))


def _otherwise(mix: Mix) -> Mapping[str, Mix]:
    """What in the mix the verdict may hang on."""

    def upset(factor: float) -> Mix:
        def scaled(chance: float) -> float:
            return min(1.0, factor * chance)

        callers = (
            replace(
                one, upset=replace(one.upset, first=scaled(one.upset.first), begins=scaled(one.upset.begins))
            )
            for one in mix.callers
        )
        return replace(mix, callers=tuple(callers))

    worse = replace(mix.voice, auroc=0.68, recall=0.17)
    return {
        "half as many callers get upset": upset(0.5),
        "no caller gets upset": upset(0.0),
        "the voice is heard as in another language (AUROC .68, recall .17)": replace(mix, voice=worse),
        "as badly, and with new noise in every turn": replace(
            mix, voice=replace(worse, recall=0.5, per_caller=0.0)
        ),
        "half as many callers consent": replace(
            mix, line=replace(mix.line, consent_voice_ai=mix.line.consent_voice_ai / 2)
        ),
    }
