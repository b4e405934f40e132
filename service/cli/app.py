"""The ``patchbay`` command: what each subcommand is called and takes. What they do stands beside this module."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from classifiers import ClassifierError
from compliance.errors import ComplianceError
from engines.errors import EngineError
from policies import DocumentError
from service.audio import AudioFileError
from service.cli.errors import CommandError
from service.policies.errors import PolicyLifeError
from service.settings import Settings

app = typer.Typer(
    name="patchbay",
    help="Answer support calls, each turn by the engine that the policy chose, with a redacted record of every word.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder for the report, the recordings and the ledger.", file_okay=False)
]
errors = Console(stderr=True)


@contextmanager
def explained() -> Iterator[None]:
    """Say in a line or two what users can mend, rather than show a traceback; exits 2."""
    try:
        yield
    except (
        DocumentError,
        EngineError,
        ClassifierError,
        ComplianceError,
        AudioFileError,
        PolicyLifeError,
        CommandError,
    ) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a command to its end."""
    try:
        with explained():
            raise typer.Exit(asyncio.run(work()))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings() -> Settings:
    """The settings from the environment. Raises :class:`CommandError`, which names every variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [
            f"PATCHBAY_{str(problem['loc'][0]).upper()} cannot be {problem['input']!r}: {problem['msg']}"
            for problem in error.errors()
        ]
    except SettingsError as error:  # it says only which field, of those that are JSON
        wrong = [
            f"PATCHBAY_{name.upper()} is not JSON"
            for name in Settings.model_fields
            if f'"{name}"' in str(error)
        ]
    raise CommandError("\n".join(wrong))


@app.callback()
def main(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")
    ] = False,
) -> None:
    """Set up logging for every command."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # LiveKit logs transcripts in `extra`, and warns of what the record already tells.
    logging.getLogger("livekit").setLevel(logging.WARNING if verbose else logging.CRITICAL)


@app.command()
def demo(
    every: Annotated[bool, typer.Option("--all", help="All ten recorded calls instead of five.")] = False,
    calls: Annotated[
        str, typer.Option("--calls", help="Only these, by number or name: 01,04 or order_status.")
    ] = "",
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=20, help="Calls in progress at a time.")
    ] = 5,
    telephone: Annotated[
        bool, typer.Option("--telephone", help="Callers on 8 kHz µ-law telephone lines, where recorded.")
    ] = False,
    out: Out = Path("patchbay-demo"),
    json: Json = False,
) -> None:
    """Answer recorded callers on the lab: no key, no server. Exits 1 if a promise is broken."""
    from service.cli.demo import demonstrate

    run(
        lambda: demonstrate(
            settings(), out=out, every=every, only=calls, at_once=at_once, telephone=telephone, as_json=json
        )
    )


@app.command()
def call(
    recording: Annotated[
        Path, typer.Argument(help="An audio file: any common format, rate or channel count.")
    ],
    out: Out = Path("patchbay-call"),
    json: Json = False,
) -> None:
    """Answer a recording of your own, by the vendors whose keys are set and by the lab for the others."""
    from service.cli.answer import answer_recording

    run(lambda: answer_recording(settings(), recording, out=out, as_json=json))


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def worker(
    context: typer.Context,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated",
            help="Answer rooms by the lab where a key is missing, to try the line without customers.",
        ),
    ] = False,
) -> None:
    """Answer real rooms: `worker start`, `worker dev`, or `worker console` for the microphone.

    A room is not answered by the lab because a key is missing, unless `--simulated` stands before the mode. Everything
    from the mode on goes to LiveKit: see `patchbay worker start --help`.
    """
    from service.cli.work import work

    with explained():
        work(settings(), context.args, simulated=simulated)


@app.command()
def web(
    pages: Annotated[
        Path | None,
        typer.Option("--pages", help="A folder to serve at /, to try it with.", file_okay=False, exists=True),
    ] = None,
    json: Json = False,
) -> None:
    """Let browsers in: tokens for rooms, and calls to a vendor directly that are watched. Ends on SIGTERM."""
    from service.cli.web import serve

    run(lambda: serve(settings(), pages=pages, as_json=json))


@app.command()
def doctor(json: Json = False) -> None:
    """Say what is configured, what is missing, and what will run on the lab instead. Exits 1 on a problem."""
    from service.cli.diagnose import diagnose

    with explained():
        raise typer.Exit(diagnose(settings(), as_json=json))


@app.command()
def render(
    text: Annotated[str, typer.Argument(help="What the caller says.")],
    path: Annotated[Path, typer.Argument(help="The file to write: .flac or .wav.")],
    voice: Annotated[Literal["rms", "slt", "awb"], typer.Option(help="A flite voice.")] = "slt",
    upset: Annotated[bool, typer.Option("--upset", help="With raised vocal effort.")] = False,
) -> None:
    """Render another caller from text, where flite is installed."""
    from service.cli.rendering import render_caller

    raise typer.Exit(render_caller(text, path, voice=voice, upset=upset))
