"""The evaluation of the tool-need model as tables and pictures."""

from __future__ import annotations

from classifiers.evaluation.tables import Table, figure_text, interval_text, promises
from classifiers.evaluation.tool_need import Judged, Report

HEAD = ("turns", "count", "with a tool", "AUROC (95 %)", "AP (95 %)", "ECE")


def tables(report: Report) -> list[Table]:
    """Promises first."""
    in_domain, zero_shot = report.in_domain, report.zero_shot
    return [
        promises(report.verdicts),
        Table("The general model, on turns held out", HEAD, tuple(_row(one) for one in report.corpora)),
        Table(
            f"Learning a line's own turns: tau-bench airline by task, {in_domain.learnt} turns learnt from",
            HEAD,
            (_row(in_domain.before), _row(in_domain.after)),
            f"Over {len(in_domain.split_aurocs)} splits by task: AUROC {figure_text(in_domain.auroc)} on average "
            f"({figure_text(min(in_domain.split_aurocs))} to {figure_text(max(in_domain.split_aurocs))}), ECE "
            f"{figure_text(in_domain.calibration_error)}. The rows are of the first partition, its gain in AUROC "
            f"{interval_text(in_domain.gain)}. The start never saw this line.",
        ),
        Table(
            f"Tools never seen: {zero_shot.model.source}, {zero_shot.model.turns:,} turns",
            ("judge", "AUROC (95 %)", "model's lead (95 %)"),
            (
                ("general model", interval_text(zero_shot.model.auroc), ""),
                ("keywords", interval_text(zero_shot.keywords), interval_text(zero_shot.lead_over_keywords)),
                (
                    "words of the tools",
                    interval_text(zero_shot.tool_words),
                    interval_text(zero_shot.lead_over_tool_words),
                ),
            ),
            f"The general model's ECE there is {figure_text(zero_shot.model.calibration_error)}.",
        ),
    ]


def pictures(report: Report) -> dict[str, str]:
    """SVG by file name. Needs the extra ``train``."""
    from classifiers.evaluation import plots

    held_out = {
        one.source: one.reliability for one in report.corpora if one.source in ("tau-bench", "own phrases")
    }
    return {
        "tool-need-reliability.svg": plots.reliability_diagram(
            {
                "General model": {**held_out, "SGD, tools never seen": report.zero_shot.model.reliability},
                "tau-bench, tasks left out": {
                    "before": report.in_domain.before.reliability,
                    "after learning": report.in_domain.after.reliability,
                },
            },
            "needs a tool",
        )
    }


def _row(one: Judged) -> tuple[str, ...]:
    return (
        one.source,
        f"{one.turns:,}",
        figure_text(one.positive, 2),
        interval_text(one.auroc),
        interval_text(one.average_precision),
        figure_text(one.calibration_error),
    )
