"""The evaluation of the emotion model as tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping

from classifiers.evaluation.calls import CallLevel
from classifiers.evaluation.emotion import Evaluated, Report
from classifiers.evaluation.figures import Figure
from classifiers.evaluation.tables import Table, figure_text, interval_text, promises

LEGEND = "In brackets 95 % by drawing speakers again; from – to over the folds or speakers."


def tables(report: Report) -> list[Table]:
    """Promises first, then each corpus."""
    found = [promises(report.verdicts)]
    for one in (report.left_out, *report.others):
        found += _corpus(one)
    return found


def pictures(report: Report) -> dict[str, str]:
    """SVG by file name. Needs the extra ``train``."""
    from classifiers.evaluation import plots

    titled = {f"{one.corpus}, {one.judged_by}": one for one in (report.left_out, *report.others)}
    reliable, risky, heard = {}, {}, {}
    for title, one in titled.items():
        reliable[title] = {name: curves.reliability for name, curves in one.curves.items()}
        risky[title] = {name: curves.risk_coverage for name, curves in one.curves.items()}
        heard[title] = {
            name: (told["auroc_vs_rest"], told["auroc_vs_calm"]) for name, told in one.conditions.items()
        }
    names = ("angry against the rest", "angry against calm-like")
    return {
        "emotion-reliability.svg": plots.reliability_diagram(reliable, "upset"),
        "emotion-risk-coverage.svg": plots.risk_coverage_curves(risky),
        "emotion-conditions.svg": plots.intervals(heard, names, "AUROC"),
    }


def _corpus(one: Evaluated) -> list[Table]:
    found = [_discrimination(one), _decisions(one), _leads(one)]
    if one.calls is not None:
        found.append(_calls(one.corpus, one.calls))
    return found


def _every(one: Evaluated) -> dict[str, Mapping[str, Figure]]:
    return {**one.conditions, **one.genders}


def _discrimination(one: Evaluated) -> Table:
    by_speaker = ", ".join(f"{name} {figure_text(value, 2)}" for name, value in one.by_speaker.items())
    notes = [LEGEND, f"AUROC vs rest by speaker: {by_speaker}."]
    if one.unmapped:
        unmapped = ", ".join(f"{count} {name!r}" for name, count in sorted(one.unmapped.items()))
        notes.append(f"Left out, for their emotion means nothing here: {unmapped}.")
    return Table(
        f"{one.corpus}: {one.recordings} recordings, {one.speakers} speakers, {one.angry} angry; {one.judged_by}",
        ("heard as", "AUROC vs rest", "from – to", "vs calm-like", "UAR of four"),
        tuple(
            (
                name,
                interval_text(told["auroc_vs_rest"].interval),
                _parts(told["auroc_vs_rest"]),
                interval_text(told["auroc_vs_calm"].interval),
                interval_text(told["uar"].interval),
            )
            for name, told in _every(one).items()
        ),
        " ".join(notes),
    )


def _decisions(one: Evaluated) -> Table:
    calibration, errors = ("ece", "brier"), ("recall", "false_positives", "false_positives_calm")
    keys = (*calibration, *errors, "accuracy", "accuracy_answering_70")
    return Table(
        f"{one.corpus}: what is stated, and what comes of the threshold",
        ("heard as", "ECE", "Brier", "recall", "FPR rest", "FPR calm", "right", "surest"),
        tuple((name, *(figure_text(told[key].value) for key in keys)) for name, told in _every(one).items()),
        "Called upset at the threshold; FPR: false positives; surest: right among the surest 70 %.",
    )


def _parts(figure: Figure) -> str:
    return f"{figure_text(figure.least, 2)}–{figure_text(figure.most, 2)}"


def _leads(one: Evaluated) -> Table:
    return Table(
        f"{one.corpus}: against a judge of level and pitch, at 16 kHz",
        ("judge", "vs rest", "lead (95 %)", "vs calm", "lead (95 %)"),
        tuple(
            (
                lead.variant.name,
                figure_text(lead.baseline_vs_rest.value),
                interval_text(lead.lead_vs_rest),
                figure_text(lead.baseline_vs_calm.value),
                interval_text(lead.lead_vs_calm),
            )
            for lead in one.leads
        ),
        "A judge that knows the speaker has heard all they say; the model's log-odds are set against the same habit.",
    )


def _calls(corpus: str, calls: CallLevel) -> Table:
    return Table(
        f"{corpus}: three utterances of a caller, {calls.turns} times",
        ("heard", "AUROC vs rest (95 %)", "gain (95 %)"),
        (
            ("one utterance", interval_text(calls.one), ""),
            ("mean of three", interval_text(calls.averaged), interval_text(calls.gain)),
            (
                "three, streamed as one turn",
                interval_text(calls.streamed),
                interval_text(calls.streamed_gain),
            ),
        ),
        f"Streamed, {calls.unknown:.0%} read unknown, {calls.recall:.0%} of angry turns upset, "
        f"{calls.false_positives:.0%} of calm-like turns upset.",
    )
