"""What is configured, what is missing, and what Patchbay does about it.

:func:`examine` only asks: the environment is a mapping it is given, everything else about the machine comes
through :class:`Probes`. It opens no connection, and no value of the environment ever leaves it: a key is
present or absent.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


class Status(StrEnum):
    """``missing`` means that something else stands in; ``problem`` that something will not work."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what its status means for a call, and what to do about it (empty when nothing)."""

    name: str
    status: Status
    means: str
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A vendor's key: the variable its plugin reads, what it is for, and a name it is often mistaken for.

    ``simulated`` is whether the lab can stand in for the vendor.
    """

    vendor: str
    variable: str
    use: str
    mistaken: str = ""
    simulated: bool = True


KEYS = (
    Key(
        "OpenAI",
        "OPENAI_API_KEY",
        "language models, voices, the realtime engine and spare speech recognition",
    ),
    Key("Deepgram", "DEEPGRAM_API_KEY", "speech recognition", "DG_API_KEY"),
    Key("ElevenLabs", "ELEVEN_API_KEY", "voices", "ELEVENLABS_API_KEY"),
    Key(
        "Google",
        "GOOGLE_API_KEY",
        "Gemini language models and Gemini Live",
        "GEMINI_API_KEY",
        simulated=False,
    ),
)
"""The variables that the plugins of livekit-agents 1.8 read when they are given no key."""

LAB_KEYS = tuple(key for key in KEYS if key.simulated)
"""Those of the shipped catalogue: no call needs them."""

ROOM = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
"""What ``patchbay worker`` needs to answer in real rooms."""

LAB_PARTS = (
    ("pocketsphinx", "the lab's speech recognition"),
    ("espeakng_loader", "the lab's voices"),
    ("mcp", "the tools of the demo shop"),
)
"""Modules of the ``lab`` extra, and what they are there for."""

PROGRAMS = (
    ("livekit-server", "tests of the room path", "Have Go on the PATH: the tests then build it."),
    ("go", "building livekit-server for the tests of the room path", "Install it from https://go.dev."),
    (
        "flite",
        "rendering more recorded callers from text",
        "Install it with `apt-get install flite`; the ten callers that ship need nothing.",
    ),
)
"""Programs that only tests and the lab use: name, use, and what to do."""


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _writable(folder: Path) -> bool:
    """Whether ``folder``, or the nearest existing folder above it, can be written to."""
    for candidate in (folder, *folder.parents):
        if candidate.exists():
            return candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK)
    return False


@dataclass(frozen=True, slots=True)
class Probes:
    """What the machine answers; the defaults ask the real one."""

    python: tuple[int, int] = field(default_factory=lambda: (sys.version_info[0], sys.version_info[1]))
    importable: Callable[[str], bool] = _importable
    program: Callable[[str], str | None] = shutil.which
    is_file: Callable[[Path], bool] = Path.is_file
    writable: Callable[[Path], bool] = _writable


def examine(
    environment: Mapping[str, str],
    *,
    state: Path,
    models: Mapping[str, Path] | None = None,
    documents: Mapping[str, Callable[[], object]] | None = None,
    keys: Sequence[Key] = LAB_KEYS,
    probes: Probes | None = None,
) -> tuple[Finding, ...]:
    """Look at everything a call may need.

    Args:
        environment: such as ``os.environ``; only whether and how variables are set is ever told.
        state: the folder that holds ledgers, keys and reports.
        models: classifier → the file that must be there, such as its folder's ``model.onnx``.
        documents: name → a function that loads a policy, catalogue or price list and raises if it is wrong.
        keys: the vendors' keys that the engine catalogue needs.
        probes: what is asked of the machine; the real one by default.
    """
    machine = probes or Probes()
    findings = [_python(machine.python)]
    findings += [_key(key, environment) for key in keys]
    findings.append(_room(environment))
    findings += [_document(name, load) for name, load in (documents or {}).items()]
    findings += [_model(name, path, machine) for name, path in (models or {}).items()]
    findings.append(_state(state, machine))
    findings += _lab(machine)
    findings += _programs(machine)
    return tuple(findings)


def exit_code(findings: Sequence[Finding]) -> int:
    """1 when there is a problem; what is merely missing is 0, since something stands in for it."""
    return int(any(finding.status is Status.PROBLEM for finding in findings))


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Schema ``patchbay.doctor/1``: ``ok`` and a list of name, status, means, to_do."""
    return {
        "schema": "patchbay.doctor/1",
        "ok": exit_code(findings) == 0,
        "findings": [asdict(finding) for finding in findings],
    }


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    """The findings, a row each, with what to do below what it means."""
    marks = {
        Status.OK: ("✓ ok", "green"),
        Status.MISSING: ("– missing", "yellow"),
        Status.PROBLEM: ("✗ problem", "bold red"),
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("what", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("what it means, what to do", ratio=1, overflow="fold")
    for finding in findings:
        words, style = marks[finding.status]
        said = Text(finding.means)
        if finding.to_do:
            said.append(f"\n→ {finding.to_do}", style="cyan")
        table.add_row(Text(finding.name), Text(words, style=style), said)
    return table


def _python(version: tuple[int, int]) -> Finding:
    shown = f"Python {version[0]}.{version[1]}"
    if (3, 11) <= version < (3, 14):
        return Finding("Python", Status.OK, f"{shown} is supported.")
    return Finding(
        "Python",
        Status.PROBLEM,
        f"{shown} is not supported: Patchbay runs on 3.11 to 3.13.",
        "Make the environment anew with `uv venv --python 3.11`.",
    )


def _key(key: Key, environment: Mapping[str, str]) -> Finding:
    value = environment.get(key.variable, "")
    if value.strip() and value == value.strip():
        return Finding(
            key.vendor, Status.OK, f"{key.variable} is set, so {key.vendor} is used for {key.use}."
        )
    if value.strip():
        return Finding(
            key.vendor,
            Status.PROBLEM,
            f"{key.variable} has white space around it: {key.vendor} will refuse it.",
            f"Set {key.variable} again without spaces or line ends.",
        )
    to_do = f"Set {key.variable} to use {key.vendor}."
    if key.mistaken and environment.get(key.mistaken, "").strip():
        to_do = f"{key.mistaken} is set, but the plugin reads {key.variable}: set that one."
    if not key.simulated:
        return Finding(
            key.vendor,
            Status.PROBLEM,
            f"{key.variable} is not set, and the lab cannot stand in for it: {key.use}.",
            to_do,
        )
    return Finding(
        key.vendor,
        Status.MISSING,
        f"{key.variable} is not set. Run on the lab instead, simulated: {key.use}. `patchbay worker` answers rooms "
        "only with `--simulated` then.",
        to_do,
    )


def _room(environment: Mapping[str, str]) -> Finding:
    unset = [name for name in ROOM if not environment.get(name, "").strip()]
    if len(unset) == len(ROOM):
        return Finding(
            "LiveKit rooms",
            Status.MISSING,
            "No LiveKit server is configured: calls run in this process, and `patchbay worker` cannot start.",
            f"Set {', '.join(ROOM)} to answer real rooms and telephone calls.",
        )
    if unset:
        return Finding(
            "LiveKit rooms",
            Status.PROBLEM,
            f"LiveKit is configured by half: {' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set.",
            f"Set all of {', '.join(ROOM)}, or none.",
        )
    if not environment["LIVEKIT_URL"].startswith(("ws://", "wss://", "http://", "https://")):
        return Finding(
            "LiveKit rooms",
            Status.PROBLEM,
            "LIVEKIT_URL is not the address of a server.",
            "Give it as wss://HOST, or ws://HOST:7880 for a server on this machine.",
        )
    return Finding("LiveKit rooms", Status.OK, "`patchbay worker` answers rooms of the configured server.")


def _document(name: str, load: Callable[[], object]) -> Finding:
    """A document that an operator edits; its loader's error already names file, line and column."""
    try:
        load()
    except Exception as error:
        return Finding(name, Status.PROBLEM, str(error) or type(error).__name__, "Correct what is listed.")
    return Finding(name, Status.OK, "loads without an error.")


def _model(classifier: str, path: Path, machine: Probes) -> Finding:
    name = f"{classifier} model"
    if machine.is_file(path):
        return Finding(name, Status.OK, f"{path.name} is there.")
    return Finding(
        name,
        Status.PROBLEM,
        f"{path} is not there: turns are routed without what it hears or reads.",
        "Install Patchbay again, or check the model's path in the configuration.",
    )


def _state(state: Path, machine: Probes) -> Finding:
    if machine.writable(state):
        return Finding("state folder", Status.OK, f"Ledgers and reports are kept in {state}.")
    return Finding(
        "state folder",
        Status.PROBLEM,
        f"{state} cannot be written to: no record of a call could be kept, so no call is answered.",
        "Give this user the right to write there, or configure another folder.",
    )


def _lab(machine: Probes) -> Iterator[Finding]:
    for module, use in LAB_PARTS:
        if machine.importable(module):
            yield Finding(f"lab: {module}", Status.OK, f"Installed: {use}.")
        else:
            yield Finding(
                f"lab: {module}",
                Status.MISSING,
                f"Not installed, so without {use}: `patchbay demo` needs it, calls on vendors' keys do not.",
                "Install the lab extra: `uv sync --extra lab`.",
            )


def _programs(machine: Probes) -> Iterator[Finding]:
    for program, use, to_do in PROGRAMS:
        if machine.program(program):
            yield Finding(program, Status.OK, f"Found: {use}.")
        else:
            yield Finding(program, Status.MISSING, f"Not found, so without {use}. No call needs it.", to_do)
