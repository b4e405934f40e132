"""The figures in a model card: a block between two marks, written by a run and by nobody's hand."""

from __future__ import annotations

from pathlib import Path

from classifiers.errors import ClassifierError

BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"


def with_block(card: Path, block: str) -> str:
    """The text of the card with ``block`` between its marks.

    Raises:
        ClassifierError: there is no such file, or it does not hold the marks, once each and in order.
    """
    if not card.is_file():
        raise ClassifierError(card, "is not there", "name a model card with --card")
    before, begun, rest = card.read_text(encoding="utf-8").partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended) or BEGIN in rest or END in before + after:
        raise ClassifierError(card, "has no one place for figures", f"put {BEGIN} and {END} where they go")
    return f"{before}{BEGIN}\n{block.strip()}\n{END}{after}"
