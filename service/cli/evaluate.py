"""``patchbay evaluate``: what its subcommands are called and take. ``classifiers.evaluation`` and
``compliance.redaction.evaluation`` do the measuring."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from service.cli.app import Json, explained, settings
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json, write_text

if TYPE_CHECKING:
    from classifiers.evaluation.floors import Verdict
    from classifiers.evaluation.tables import Table

evaluate = typer.Typer(
    name="evaluate",
    help="Measure the models where it is hard: speakers and people left out, bad lines, other languages, unseen tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

OutFolder = Annotated[
    Path | None, typer.Option("--out", help="A folder for figures.json and the pictures.", file_okay=False)
]
Card = Annotated[
    Path | None,
    typer.Option(
        "--card", help="Write the tables into this model card, between its two marks.", dir_okay=False
    ),
]
_NARROW, _WIDE = 100, 150  # columns of the terminal; the second in a file or a pipe
_LETTERS = 9  # more than "at least" and an interval have: a column that is read, not compared

Draws = Annotated[
    int, typer.Option("--draws", min=10, help="How often speakers or calls are drawn again for an interval.")
]
Emodb = Annotated[Path, typer.Option("--data", help="EmoDB: a folder with a manifest.csv.", file_okay=False)]


@evaluate.command()
def emotion(
    data: Emodb,
    other: Annotated[
        list[str] | None,
        typer.Option("--other", metavar="NAME=FOLDER", help="Another corpus, only read; may be given again."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="The folder that judges other corpora; by default the one configured."),
    ] = None,
    draws: Draws = 1000,
    out: OutFolder = None,
    card: Card = None,
    json: Json = False,
) -> None:
    """The emotion model on speakers, lines and corpora that it never heard. Exits 1 if a promise does not hold."""
    with explained():
        _needs_train("emotion")
        from classifiers.evaluation.emotion import How, evaluate
        from classifiers.evaluation.emotion_tables import pictures, tables

        _needs_place(card)
        others = dict(_named(one) for one in other or ())
        with _progress() as progress:
            how = How(draws=draws, progress=progress)
            found = evaluate(data, others, model=model or settings().emotion_model, how=how)
        raise typer.Exit(
            _told("emotion", found, found.verdicts, tables(found), lambda: pictures(found), out, card, json)
        )


@evaluate.command("tool-need")
def tool_need(
    data: Annotated[
        Path, typer.Option("--data", help="The folder of the tool-need corpora.", file_okay=False)
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="The folder of the general model; by default the one configured."),
    ] = None,
    draws: Draws = 500,
    out: OutFolder = None,
    card: Card = None,
    json: Json = False,
) -> None:
    """The tool-need model on turns and tools it never saw, and after learning. Exits 1 if a promise does not hold."""
    with explained():
        _needs_train("tool-need")
        from classifiers.evaluation.tool_need import evaluate
        from classifiers.evaluation.tool_need_tables import pictures, tables

        _needs_place(card)
        with _progress() as progress:
            found = evaluate(data, model=model or settings().tool_need_model, draws=draws, progress=progress)
        raise typer.Exit(
            _told("tool-need", found, found.verdicts, tables(found), lambda: pictures(found), out, card, json)
        )


@evaluate.command("caller-state")
def caller_state(
    data: Emodb,
    callers: Annotated[
        Path | None,
        typer.Option("--callers", help="A folder of recorded callers with a manifest.json.", file_okay=False),
    ] = None,
    out: OutFolder = None,
    card: Card = None,
    json: Json = False,
) -> None:
    """Voice and words together, on calls of speakers left out and recorded ones. Exits 1 if a promise does not hold."""
    with explained():
        _needs_train("caller-state")
        from classifiers.evaluation.caller_state import evaluate, pictures, tables

        _needs_place(card)
        with _progress() as progress:
            found = evaluate(data, callers, progress=progress)
        raise typer.Exit(
            _told(
                "caller-state", found, found.verdicts, tables(found), lambda: pictures(found), out, card, json
            )
        )


@evaluate.command()
def words(
    data: Annotated[
        Path,
        typer.Option("--data", help="The folder of the corpora: redaction and tool_need.", file_okay=False),
    ],
    sentences: Annotated[
        Path | None,
        typer.Option(
            "--sentences",
            help="A folder with cues.jsonl and languages.jsonl: sentences that nothing was written for.",
            file_okay=False,
        ),
    ] = None,
    out: OutFolder = None,
    card: Card = None,
    json: Json = False,
) -> None:
    """What is told from words alone: reading out, change of topic, cues, language. Nothing is promised of them."""
    with explained():
        _needs_train("words")
        from classifiers.evaluation.words import evaluate, pictures, tables

        _needs_place(card)
        with _progress() as progress:
            found = evaluate(data, sentences, progress=progress)
        raise typer.Exit(
            _told("words", found, found.verdicts, tables(found), lambda: pictures(found), out, card, json)
        )


@evaluate.command()
def redaction(
    data: Annotated[
        Path,
        typer.Option("--data", help="The folder of the redaction corpora.", file_okay=False),
    ],
    part: Annotated[
        Literal["test", "dev", "all"],
        typer.Option(
            "--part",
            help="What nothing was fitted to (test), what rules may be tuned by (dev), or all of corpora never seen.",
        ),
    ] = "test",
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="A redaction policy; by default the one that ships.", dir_okay=False),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A folder of `train redaction` to find names with.", file_okay=False),
    ] = None,
    count: Annotated[
        int, typer.Option("--invented", min=100, help="How many utterances are invented.")
    ] = 6000,
    misses: Annotated[
        int,
        typer.Option("--misses", min=0, help="Show so many failures of each measure, in their own words."),
    ] = 0,
    out: OutFolder = None,
    card: Card = None,
    json: Json = False,
) -> None:
    """Recall and over-masking of whole redaction sessions, on people never seen. Exits 1 if a promise does not hold."""
    with explained():
        _needs_train("redaction", ("faker", "matplotlib"))
        from compliance.redaction.ner import name_finder
        from compliance.redaction.policy import RedactionPolicy
        from service.cli.redaction_evaluation import evaluate, misses_table, pictures, tables

        _needs_place(card)
        with _progress() as progress:
            found = evaluate(
                data,
                part=part,
                count=count,
                policy=RedactionPolicy.load(policy) if policy else None,
                names=name_finder({"ours": str(model)}) if model else None,
                misses=misses,
                progress=progress,
            )
        if found.misses and not json:
            Console().print(as_rich(misses_table(found), narrow=True))
        raise typer.Exit(
            _told("redaction", found, found.verdicts, tables(found), lambda: pictures(found), out, card, json)
        )


# -- what all of them do with what was measured ---------------------------------------------------------------
def _told(
    what: str,
    found: Any,
    verdicts: Sequence[Verdict],
    tables: Sequence[Table],
    pictures: Callable[[], Mapping[str, str]],
    out: Path | None,
    card: Path | None,
    as_json: bool,
) -> int:
    """Print it and write it; returns 1 when a promise does not hold."""
    from classifiers.evaluation.card import with_block
    from classifiers.evaluation.plain import plain

    holds = all(verdict.holds for verdict in verdicts)
    figures = {
        "schema": f"patchbay.evaluate.{what}/1",
        "holds": holds,
        "promises": plain(verdicts),
        **plain(found),
    }
    if card is not None:
        write_text(card, with_block(card, "\n\n".join(table.markdown for table in tables)))
    if out is not None:
        _write(out, figures, pictures())
    if as_json:
        print_json(figures)
    else:
        console = Console()
        if not console.is_terminal:
            console.width = _WIDE
        for table in tables:
            console.print(as_rich(table, narrow=console.width < _NARROW), crop=False)
        if out is not None:
            console.print(f"Figures and pictures: {out}", markup=False, highlight=False, soft_wrap=True)
    return 0 if holds else 1


def _write(out: Path, figures: Mapping[str, Any], pictures: Mapping[str, str]) -> None:
    import json

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out}: cannot be made a folder: {error.strerror}") from error
    write_text(out / "figures.json", json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    for name, svg in pictures.items():
        write_text(out / name, svg)


def as_rich(table: Table, *, narrow: bool) -> RichTable:
    """A table for a terminal; ``narrow`` packs it, headings over several lines. No word or figure is broken in two."""
    from classifiers.evaluation.tables import BROKEN, KEPT

    styles = {BROKEN: "bold red", KEPT: "green"}
    shown = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=narrow,
        title=Text(table.title, style="bold"),
        title_justify="left",
        caption=Text(table.note) if table.note else None,
        caption_justify="left",
    )
    for at, name in enumerate(table.head):
        column = [row[at] for row in table.rows]
        spoken = at == 0 or any(sum(map(str.isalpha, cell)) > _LETTERS for cell in column)
        longest = max(map(len, " ".join([name, *column]).split()), default=0)  # no figure is broken in two
        shown.add_column(
            name.replace(" ", "\n") if narrow else name,
            justify="left" if spoken else "right",
            min_width=longest,
        )
    for cells in table.rows:
        shown.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in cells))
    return shown


def _named(given: str) -> tuple[str, Path]:
    name, equals, folder = given.partition("=")
    if not (name and equals and folder):
        raise CommandError(f"--other {given}: name the corpus too, as in --other nEMO=path/to/folder")
    return name, Path(folder)


def _needs_place(card: Path | None) -> None:
    """Before an hour of measuring: the card must have a place for what comes of it. Raises as ``with_block`` does."""
    from classifiers.evaluation.card import with_block

    if card is not None:
        with_block(card, "")


def _needs_train(command: str, packages: Sequence[str] = ("sklearn", "matplotlib", "onnx")) -> None:
    """What only measuring needs is an extra. Raises :class:`CommandError` without it."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"patchbay evaluate {command} needs {', '.join(missing)}: install the extra `train` "
            "(pip install 'patchbay[train]')"
        )


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A line on standard error that says what is being done, to people only; nothing is left of it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)
