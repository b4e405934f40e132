"""Whether the ``never`` properties of a policy hold: by its guards alone, by guards and rules, or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from router.content import Never
from router.lint.answers import Answer
from router.lint.case import Case
from router.lint.report import Finding, Severity, Witness
from router.lint.search import Search
from router.lint.trials import Trial

if TYPE_CHECKING:
    from router.lint.symbolic import Symbolic
    from router.lint.truth import Term


def properties(case: Case) -> Iterator[Finding]:
    """One finding for each property, and one more where it hangs on the values of params.

    The policy is taken without the properties themselves: at run time they are enforced, and what is asked is
    whether there is ever anything left to enforce.
    """
    bare = case.unenforced
    for each in case.content.never:
        yield (finding := _judged(bare, each))
        if finding.code in ("never-proved", "never-proved-in-part"):
            yield from _elsewhere(bare, each, by_guards=finding.code == "never-proved")


def _judged(case: Case, each: Never) -> Finding:
    by_guards = _guards(case.search, each)
    if by_guards:
        message = (
            f"{_claim(each)}: proved from the guards alone, so nothing that sticks or fails can break it"
        )
        return _finding(case, each, "never-proved", Severity.INFO, message)
    answer = _broken(case, case.search, each).simplest()
    if answer.impossible:
        message = (
            f"{_claim(each)}: proved from guards and rules together, not from the guards alone. Not covered are"
            " holds, dwell, cooldown, and engines that take over in the middle of a turn; there the check at run time"
            f" keeps it. Deny {_engines(each)} in a guard to have it proved throughout"
        )
        return _finding(case, each, "never-proved-in-part", Severity.INFO, message)
    if answer.trials:
        message = (
            f"{_claim(each)}: this does not hold; the check at run time would send such a turn elsewhere"
        )
        return _finding(case, each, "never-violated", Severity.ERROR, message, case.witnesses(answer))
    if case.search.prover:
        why = answer.why
    else:
        why = f"{'the prover is not installed' if case.prove else 'as you asked'}; {answer.why} to be wrong"
    severity = Severity.ERROR if case.prove else Severity.WARNING  # asked to prove, and could not
    return _finding(case, each, "never-unproved", severity, f"{_claim(each)}: not proved, {why}")


def _elsewhere(case: Case, each: Never, *, by_guards: bool) -> Iterator[Finding]:
    """What becomes of a proved property when tenants or ``tune`` move params inside their ranges."""
    if not any(name in case.content.params for name in case.reads) or _guards(case.free, each):
        return
    answer = _broken(case, case.free, each).simplest()
    if answer.impossible:
        if not by_guards:
            return
        message = (
            f"{_claim(each)}: the guards alone assure it at the params' values; elsewhere in their ranges it takes"
            " the rules too"
        )
        yield _finding(case, each, "never-depends", Severity.INFO, message)
    elif answer.trials:
        message = (
            f"{_claim(each)}: this holds at the params' values, but not everywhere in their declared ranges"
        )
        yield _finding(case, each, "never-depends", Severity.INFO, message, case.witnesses(answer))
    else:
        message = f"{_claim(each)}: this holds at the params' values; for their ranges it was not proved, {answer.why}"
        yield _finding(case, each, "never-depends", Severity.INFO, message)


def _guards(search: Search, each: Never) -> bool:
    """Whether the guards deny every one of its engines whenever it applies."""
    return (
        search.possible(
            lambda model: [
                _applies(model, each),
                model.either(model.allowed(engine).yes for engine in each.routes),
            ]
        )
        is False
    )


def _broken(case: Case, search: Search, each: Never) -> Answer:
    def seen(trial: Trial) -> bool:
        return trial.decision.engine in each.routes and not trial.false(each.when)

    answer = search.find(
        lambda model: [
            _applies(model, each),
            model.either(model.served.engine[engine] for engine in each.routes),
        ],
        seen,
        about=each.when.reads,
    )
    if answer.impossible or answer.trials or search is case.free:
        return answer
    sampled = case.sampling.find(lambda _: [], seen, about=each.when.reads)
    return sampled if sampled.trials else answer


def _applies(model: Symbolic, each: Never) -> Term:
    """Its condition is true, or fails, which counts as true."""
    return model.terms.condition(each.when).failing_is_true.yes


def _engines(each: Never) -> str:
    return " or ".join(each.routes)


def _claim(each: Never) -> str:
    return f"never '{each.id}': {_engines(each)} does not answer when {' '.join(each.when.source.split())}"


def _finding(
    case: Case, each: Never, code: str, severity: Severity, message: str, witnesses: Sequence[Witness] = ()
) -> Finding:
    return case.finding(code, severity, (each.id, each.when), message, witnesses=witnesses)
