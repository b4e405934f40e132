"""``patchbay worker``: LiveKit's own modes (start, dev, console) over Patchbay's entry point."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from anyio.from_thread import start_blocking_portal
from livekit.agents import cli

from service.aside import AsideProcess, Emotion, Redaction
from service.cli.errors import CommandError
from service.cli.rig import rig
from service.exchange import Exchange
from service.happenings import VARIABLE, HappeningsLog
from service.policies.following import shown
from service.settings import Settings
from service.worker import make_server

logger = logging.getLogger(__name__)

IN_ROOMS = ("start", "dev", "connect")
"""LiveKit's modes that answer calls in rooms."""
CONSOLE = "console"
"""LiveKit's mode that answers a call through the sound card."""
ROOM_OPTIONS = {
    "LIVEKIT_URL": "--url",
    "LIVEKIT_API_KEY": "--api-key",
    "LIVEKIT_API_SECRET": "--api-secret",
}
"""What reaches a LiveKit server: variables, and LiveKit's options that take their place."""


def work(settings: Settings, arguments: Sequence[str], *, simulated: bool = False) -> None:
    """Hand over to LiveKit's command line, which ends the process when the worker ends.

    Args:
        settings: of the deployment.
        arguments: LiveKit's, the mode first.
        simulated: answer rooms by the lab where a provider's key is not set, instead of refusing to start.

    Raises:
        CommandError: what the mode needs is missing; the message says what to do.
    """
    sys.argv = ["patchbay worker", *arguments]
    # LiveKit sets up logging for a worker, JSON on standard output; what it finds set up would log all twice.
    logging.basicConfig(handlers=[], force=True)
    logging.getLogger("livekit.agents").setLevel(logging.NOTSET)
    logging.getLogger("presidio-analyzer").setLevel(
        logging.ERROR
    )  # it lists its recognisers to every process
    # LiveKit is moving these modes to its own `lk` tool; the notice is for those who write workers.
    warnings.filterwarnings("ignore", message="the built-in Python CLI", category=DeprecationWarning)
    mode = arguments[0] if arguments and "--help" not in arguments else ""
    if mode == CONSOLE:
        check_sound(arguments)
    elif mode in IN_ROOMS:
        check_server(arguments, os.environ)
    if mode not in (*IN_ROOMS, CONSOLE) or "--list-devices" in arguments:
        cli.run_app(make_server(settings))
        return
    may = simulated or mode == CONSOLE
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(rig(settings, Path(".patchbay"), may_simulate=may)) as ready,
        closing(AsideProcess.start(Emotion(ready.emotion_model))) as voices,
        closing(AsideProcess.start(Redaction(ready.redaction))) as redaction,
        closing(HappeningsLog.make()) as happenings,
    ):
        # Calls are answered in processes of their own, which read their settings from the environment.
        os.environ["PATCHBAY_STAND_INS"] = json.dumps(ready.stand_ins)
        os.environ["PATCHBAY_MCP"] = ready.mcp
        exchange = Exchange.load(ready)  # an error in a catalogue is said now, not at the first call
        exchange.close()
        os.environ[Emotion.variable()] = str(voices.address)
        os.environ[Redaction.variable()] = str(redaction.address)
        os.environ[VARIABLE] = str(happenings.folder)
        server = make_server(ready)
        # Said again, for what was logged before now went by LiveKit's log.
        server.once("worker_started", lambda: _say(exchange))
        cli.run_app(server)


def _say(exchange: Exchange) -> None:
    """Under which policy calls are answered, and who only plays at it."""
    logger.info("calls are answered under %s", shown(exchange.policy))
    if exchange.simulated:
        logger.warning(
            "SIMULATED: the lab answers in the place of %s; let no customer call this line",
            ", ".join(exchange.simulated),
        )


def check_server(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raises :class:`CommandError` when nothing says which LiveKit server to work for."""
    given = {argument.partition("=")[0] for argument in arguments}
    missing = [
        name for name, option in ROOM_OPTIONS.items() if option not in given and not environment.get(name)
    ]
    if missing:
        raise CommandError(
            f"`patchbay worker {arguments[0]}` answers calls of a LiveKit server, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set: set {'it' if len(missing) == 1 else 'them'} in the "
            f"environment or pass {', '.join(ROOM_OPTIONS[name] for name in missing)}"
        )


def check_sound(arguments: Sequence[str]) -> None:
    """Raises :class:`CommandError` when there is nothing to hear the caller with, or to speak to them through."""
    if "--text" in arguments:
        raise CommandError("a call is heard, not read: leave out --text and speak into the microphone")
    if "--record" in arguments:
        raise CommandError("--record would keep the call unredacted: leave it out, the ledger has the record")
    # Without the PortAudio library, or without a device, this fails in ways of the platform's own.
    try:
        import sounddevice  # type: ignore[import-untyped]

        for kind in () if "--list-devices" in arguments else ("input", "output"):
            sounddevice.query_devices(kind=kind)
    except Exception as error:
        raise CommandError(
            "`patchbay worker console` needs a microphone, a loudspeaker and the PortAudio library "
            f"(on Debian: apt-get install libportaudio2), and found: {error}. "
            "`patchbay call FILE.wav` answers a recording without them."
        ) from error
