"""What a command needs around a call: the lab and its shop, where keys or tools are missing."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from engines.plugins import Endpoints
from service.settings import Settings

LAB_PARTS = ("pocketsphinx", "espeakng_loader")
SIMULATED = ("openai", "deepgram", "elevenlabs")
"""Providers that the lab can stand in for."""


class RigError(Exception):
    """Something a command needs cannot be started; the message says what to do."""


def without_key(settings: Settings) -> tuple[str, ...]:
    """The plugins of the catalogue that have no key in the environment, sorted."""
    endpoints, missing = Endpoints(), set()
    for component in Catalogue.load(settings.catalogue).components():
        try:
            endpoints.of(component)
        except EngineNotConfiguredError:
            missing.add(component.plugin)
    return tuple(sorted(missing))


@asynccontextmanager
async def rig(settings: Settings, folder: Path, *, lab_only: bool = False) -> AsyncIterator[Settings]:
    """Start the lab for providers without a key, and the shop where no tools are configured.

    Args:
        settings: of the deployment.
        folder: where the shop keeps its orders.
        lab_only: use the lab for every provider it can stand in for, even where a key is set.

    Yields:
        The settings with the lab and the shop in place.

    Raises:
        RigError: the lab is needed and not installed, or did not start.
    """
    missing = SIMULATED if lab_only else without_key(settings)
    if not missing:
        yield settings
        return
    if absent := [part for part in LAB_PARTS if importlib.util.find_spec(part) is None]:
        raise RigError(
            f"{', '.join(missing)} would run on the lab, which is not installed ({', '.join(absent)}): "
            "run `uv sync --extra lab`, or set the providers' keys (see `patchbay doctor`)"
        )
    from lab.errors import LabError
    from lab.process import LabProcess
    from lab.shop import ShopProcess

    async with AsyncExitStack() as running:
        try:
            lab = await running.enter_async_context(LabProcess())
            servers = settings.mcp
            if not servers:
                folder.mkdir(parents=True, exist_ok=True)
                servers = (await running.enter_async_context(ShopProcess(folder / "shop.sqlite"))).url
        except LabError as error:
            raise RigError(str(error)) from error
        urls = {"openai": lab.openai_url, "deepgram": lab.deepgram_url, "elevenlabs": lab.elevenlabs_url}
        stand_ins = {plugin: urls[plugin] for plugin in missing if plugin in urls}
        yield settings.model_copy(update={"stand_ins": stand_ins, "mcp": servers})
