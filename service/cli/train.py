"""``patchbay train``: models out of a line's own record, and the models that ship out of their corpora."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.cli.app import Json, explained, settings
from service.cli.errors import CommandError
from service.settings import Settings
from service.words import count

if TYPE_CHECKING:
    from classifiers.tool_need import ToolSet
    from service.learning.learnt import Learnt
    from service.learning.reading import Material

SCHEMA = "patchbay.train/1"

Progress = Callable[..., None]
"""Told the stage of a training and, where it is known, how much of it is done, 0 to 1."""
Fit = Callable[[Path, Progress], Any]
"""Writes a model into the folder that it is given, and returns a report."""

train = typer.Typer(
    name="train",
    help="Train the models: tool need from the record of your own line, the others from their corpora.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path, typer.Option("--data", help="The folder of the corpus: EmoDB.", file_okay=False)]
Out = Annotated[Path, typer.Option("--out", help="The model folder to write.", file_okay=False)]


@train.command("tool-need")
def tool_need(
    ledger: Annotated[
        str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The model folder to write; by default tool-need beside the ledger.",
            file_okay=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DAY|TIME", help="Only calls that began from then on; UTC.")
    ] = "",
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", help="The model to start from; by default the one that ships.", file_okay=False
        ),
    ] = None,
    corpora: Annotated[
        Path | None,
        typer.Option(
            "--corpora", help="Train the general model from this folder of corpora instead.", file_okay=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    json: Json = False,
) -> None:
    """Which turns need a tool, learnt from the calls on record: the tools that engines called are the labels.

    Exits 0 when the new model is better beyond doubt, and written; 1 when the old one is kept.
    """
    with explained():
        configured = settings()
        target = out or _beside(ledger or configured.ledger)
        if corpora is not None:
            if ledger or since or base:
                raise CommandError(
                    "--corpora trains the general model: --ledger, --since and --base have no place"
                )

            def fit(folder: Path, progress: Progress) -> Any:
                from classifiers.tool_need.train import train

                return train(corpora, folder, progress=progress)

            raise typer.Exit(_made("tool-need", fit, target, dry_run=dry_run, as_json=json))
        asked = _Asked(ledger or configured.ledger, target, since, base, dry_run)
        raise typer.Exit(_from_record(configured, asked, as_json=json))


@train.command()
def emotion(data: Data, out: Out, json: Json = False) -> None:
    """The emotion model, from EmoDB. Takes some minutes, and the extra `train`."""

    def fit(folder: Path, progress: Progress) -> Any:
        from classifiers.emotion.train import train

        return train(data, folder, progress=progress)

    with explained():
        raise typer.Exit(_made("emotion", fit, out, as_json=json))


@train.command("caller-state")
def caller_state(data: Data, out: Out, json: Json = False) -> None:
    """The model of the caller's state, from EmoDB and the trainer of emotion. Takes the extra `train`."""

    def fit(folder: Path, progress: Progress) -> Any:
        from classifiers.caller_state.train import train

        return train(data, folder, progress=progress)

    with explained():
        raise typer.Exit(_made("caller-state", fit, out, as_json=json))


@train.command()
def redaction(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="The folder of the redaction corpora, with tool_need beside it.", file_okay=False
        ),
    ],
    out: Out,
    json: Json = False,
) -> None:
    """The finder of names in speech, from corpora and invented speech. Takes ten minutes, and the extra `train`."""

    def fit(folder: Path, progress: Progress) -> Any:
        from compliance.redaction.training.trainer import train

        return train(data, folder, progress=progress)

    with explained():
        raise typer.Exit(_made("redaction", fit, out, as_json=json))


# -- from the record --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Asked:
    """What to train from, and where to."""

    ledger: str
    out: Path
    since: str
    base: Path | None
    dry_run: bool


def _from_record(configured: Settings, asked: _Asked, *, as_json: bool) -> int:
    """Read, learn, write and show; returns the exit status."""
    from classifiers.tool_need import SHIPPED, ToolNeedModel, write_folder
    from engines.catalogue import Catalogue
    from service.cli.policy.shared import each, print_json, reading
    from service.learning.folder import check_replaceable, replacing
    from service.learning.learnt import learn
    from service.learning.reading import material, tool_use
    from service.learning.view import learnt_view

    since, base = _moment(asked.since), asked.base or SHIPPED
    start = ToolNeedModel.load(base)
    check_replaceable(asked.out)
    with_tools = {
        name for name, engine in Catalogue.load(configured.catalogue).engines.items() if engine.tools
    }
    with reading(asked.ledger, "train tool-need") as ledger:
        names = ledger.calls()
        used = tool_use(ledger, each(names, "Looking for tools"))
        able = with_tools | used.engines
        read = material(ledger, each(names, "Reading"), able, since=since)
    if not read.calls:
        why = "; ".join(read.unreadable) or "none with a routed turn that is asked for"
        raise CommandError(
            f"{asked.ledger} holds {count(len(names), 'call')}, but nothing to learn from: {why}"
        )
    tools = _tools(configured, used.tools)
    with _status("Fitting …"):
        learnt = learn(start, read, able, tools)
    written = asked.out.resolve() if learnt.better and not asked.dry_run else None
    if written is not None:
        with replacing(written) as folder:
            write_folder(learnt.model, folder)
    if as_json:
        print_json(_json(asked.ledger, base, read, tools, learnt, written))
    else:
        Console().print(learnt_view(read, learnt, written, asked.out), crop=False)  # for a path to copy
    return 0 if learnt.better else 1


def _json(
    ledger: str, base: Path, read: Material, tools: ToolSet, learnt: Learnt, written: Path | None
) -> dict[str, Any]:
    """The schema ``patchbay.train/1``; intervals are of 95 %, by call."""
    chosen = learnt.selection
    return {
        "schema": SCHEMA,
        "model": "tool-need",
        "ledger": ledger,
        "base": str(base),
        "calls": len(read.calls),
        "calls_unreadable": dict(read.unreadable),
        "calls_without_chances": dict(read.without_chances),
        "selection": asdict(chosen)
        | {
            "left_out": {str(reason): number for reason, number in chosen.left_out.items()},
            "censored": chosen.censored,
        },
        "tools": list(tools.names),
        "advice": learnt.advice,
        "report": None if learnt.report is None else asdict(learnt.report),
        "better": learnt.better,
        "why": learnt.why,
        "written": None if written is None else str(written),
        "set": {} if written is None else {"PATCHBAY_TOOL_NEED_MODEL": str(written)},
    }


def _tools(configured: Settings, seen: tuple[str, ...]) -> ToolSet:
    """The tools of the line: as its servers describe them, else by the names on record."""
    from service.learning.tools import ask, named

    servers = configured.tool_servers()
    if not servers:
        return named(seen)
    with _status("Asking for the tools …"):
        return asyncio.run(ask(servers))


def _moment(text: str) -> Any:
    from service.history import moment

    try:
        return moment(text) if text else None
    except ValueError:
        raise CommandError(
            f"--since '{text}' is no time: write 2026-11-01, or 2026-11-01T09:00+01:00"
        ) from None


def _beside(ledger: str) -> Path:
    return (Path(".patchbay") if "://" in ledger else Path(ledger).parent) / "tool-need"


# -- from corpora -----------------------------------------------------------------------------------------------
def _made(model: str, fit: Fit, out: Path, *, dry_run: bool = False, as_json: bool) -> int:
    from service.cli.policy.shared import print_json
    from service.learning.folder import replacing
    from service.learning.view import made_json, made_view

    written = None if dry_run else out.resolve()
    with _extra(model), _stages() as progress:
        if written is None:
            with TemporaryDirectory() as folder:
                report = fit(Path(folder), progress)
        else:
            with replacing(written) as new:
                report = fit(new, progress)
    if as_json:
        found = {"schema": SCHEMA, "model": model, "report": made_json(report)}
        print_json(found | {"written": None if written is None else str(written)})
    else:
        Console().print(made_view(report, written), crop=False)
    return 0


@contextmanager
def _extra(what: str) -> Iterator[None]:
    """Say in a line that a trainer's own packages are missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise CommandError(
            f"`patchbay train {what}` needs {package}, which is in the extra `train`: install 'patchbay[train]', "
            f"or say `uv run --extra train patchbay train {what}`"
        ) from missing


# -- progress: on standard error, for people ----------------------------------------------------------------------
def _status(what: str) -> Any:
    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()


@contextmanager
def _stages() -> Iterator[Progress]:
    """Shows a trainer's stages, each with how much of it is done, 0 to 1, where that is known."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    with console.status("Training …") as status:
        yield lambda stage, done=0.0: status.update(f"{stage} {done:.0%}" if done else f"{stage} …")
