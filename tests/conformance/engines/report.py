"""``python -m tests.conformance.engines.report``: run the suite, and write what it found into docs/conformance.md.

Arguments are pytest's; the exit status is pytest's.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pytest

from tests.conformance.engines.table import (
    BY_NAME,
    CASES,
    CELL,
    ENGINES,
    HUMAN,
    OMITTED,
    PAIRS,
    TRIGGERS,
    failure_of,
    why_not,
    why_not_pair,
)

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "conformance.md"
PASS, FAIL = "pass", "**fails**"
Cell = tuple[str, ...]

_HEAD = """\
# Conformance of engines

<!-- Written by `uv run python -m tests.conformance.engines.report`; a test compares it with the suite. -->

Every engine here passes one suite, and so does every ordered pair, for everything that can cause a hand-off, of those
whose hand-offs are code of their own; [which are not](#not-in-every-pair), and [what is not called
here](#not-in-the-suite) although a catalogue can name it, is said below. Each cell is a call in which the session, the
vendor's plugin and its sockets are the real ones and the vendor is the lab (*simulated*): the lab's ears are told what
is said, its voices hum at a pitch per engine, and time is virtual, so that what the caller heard, from whom and when,
is known to the sample. Time-outs are those of the shipped policy and catalogue; who answers which turn is laid down per
call, where elsewhere a policy decides. An engine is added by one entry in `tests/conformance/engines/table.py`.

`self_hosted` has its ears, its model and its voice at addresses of one's own, `flux` is a cascade that Deepgram Flux
hears, `own_transcript` a realtime engine whose vendor writes down what it heard, beside the record, and
`open_realtime` a server that knows less than the vendor's: it deletes, truncates and cancels nothing. The others are
heard by Deepgram Nova-3, and those with a voice of ours speak by ElevenLabs.

`duplex` takes its turns by itself and keeps a call that it is given; so does `human`, a person, whom nobody asks for a
reply and who is in pairs only. What brings people to the line is tested where it is (`tests/scenario/test_people.py`).
"""


class Results:
    """A pytest plugin that keeps what became of each cell."""

    def __init__(self) -> None:
        self.cells: dict[Cell, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        values = dict(report.user_properties).get(CELL)
        cell = tuple(map(str, values)) if isinstance(values, list) else None
        if cell is not None and (report.when == "call" or report.failed):
            self.cells[cell] = PASS if report.passed else FAIL


def cells() -> Iterable[Cell]:
    """Every cell that applies: an engine and a case, or two engines and a trigger."""
    yield from ((engine, case) for case in CASES for engine in BY_NAME if why_not(engine, case) is None)
    yield from ((*pair, what) for what in TRIGGERS for pair in PAIRS if why_not_pair(*pair, what) is None)


def page(results: Mapping[Cell, str]) -> str:
    """The page in Markdown; a cell without a result was not run."""
    notes: dict[str, int] = {}

    def cell(key: Cell, reason: str | None) -> str:
        if reason is None:
            return results.get(key, "not run") + _how(key)
        return f"n/a [{notes.setdefault(reason, len(notes) + 1)}]"

    engines = _table(
        ("case", *BY_NAME),
        ((case, *(cell((engine, case), why_not(engine, case)) for engine in BY_NAME)) for case in CASES),
    )
    pairs = _table(
        ("from → to", *TRIGGERS),
        (
            (
                f"{left} → {right}",
                *(cell((left, right, what), why_not_pair(left, right, what)) for what in TRIGGERS),
            )
            for left, right in PAIRS
        ),
    )
    sections = (
        _HEAD,
        "## Every engine\n",
        engines,
        _meanings(CASES),
        "## Every ordered pair, whatever causes the hand-off\n",
        "The turn is answered once, by the engine decided; nobody else is heard; the history is whole and in order, "
        "for the record and for the model; the caller's audio is whole at the tap and, to 20 ms, at the engine. "
        "A realtime engine hears the turn, also where another failed it; the caller is told of the delay once, and "
        "hears the answer soon after; who asks something else while a tool works is told once, before the answer, "
        "that they are not forgotten. "
        "A person and the caller hear each other, and nothing that is said to a person goes to a model.\n",
        pairs,
        _meanings(TRIGGERS),
        "## Not applicable\n",
        "".join(f"{number}. {_sentence(reason)}\n" for reason, number in notes.items()),
        "## Not in every pair\n",
        "".join(f"- `{one.name}`{_only(one.meets)}: {one.alike}.\n" for one in ENGINES if one.alike),
        "## Not in the suite\n",
        "\n".join(f"- {_sentence(what)[:-1]}: {reason}." for what, reason in OMITTED.items()),
    )
    return "\n".join(sections) + "\n"


def _how(key: Cell) -> str:
    """In which way a provider failed in the cell ``key``, if one did."""
    if key[-1] != "failure" or key[0] == HUMAN:
        return ""
    return f" ({failure_of(*key[:-1]).replace('_', ' ')})"


def _only(meets: Collection[str] | None) -> str:
    return f", but for {' and '.join(f'`{name}`' for name in meets)}" if meets else ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *map(tuple, rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _meanings(of: Mapping[str, str]) -> str:
    return "".join(f"- *{name}*: {meaning}\n" for name, meaning in of.items())


def main(arguments: list[str]) -> int:
    results = Results()
    status = pytest.main([str(HERE), "-q", *arguments], plugins=[results])
    PAGE.write_text(page(results.cells), encoding="utf-8")
    print(f"{PAGE}: {len(results.cells)} cells")
    return int(status)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
