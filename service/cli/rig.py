"""What a command needs around a call: the lab and its shop, where keys or tools are missing."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from engines.plugins import KEY_ENVIRONMENT, Endpoint, Endpoints
from engines.prices import Prices
from policies import DocumentError
from router import Policy
from service.settings import Settings

LAB_PARTS = ("pocketsphinx", "espeakng_loader")
SIMULATED = ("openai", "deepgram", "elevenlabs")
"""Providers that the lab can stand in for."""


class RigError(Exception):
    """Something a command needs cannot be started; the message says what to do."""


def check_documents(settings: Settings) -> Catalogue:
    """Read what an operator edits, before anything is started for it.

    Raises:
        RigError: with every error of the catalogue, the policy and the price list.
    """
    catalogue, wrong = None, []
    try:
        catalogue = Catalogue.load(settings.catalogue)
    except DocumentError as error:
        wrong.append(str(error))
    engines = None if catalogue is None else catalogue.engines
    for load in (lambda: Policy.load(settings.policy, engines=engines), lambda: Prices.load(settings.prices)):
        try:
            load()
        except DocumentError as error:
            wrong.append(str(error))
    if wrong or catalogue is None:
        raise RigError("\n".join(wrong))
    return catalogue


def without_key(catalogue: Catalogue, endpoints: Endpoints) -> dict[str, str]:
    """The plugins of the catalogue that have no endpoint, sorted, and the variable of the key that each lacks."""
    missing = {}
    for component in catalogue.components():
        try:
            endpoints.of(component)
        except EngineNotConfiguredError:
            missing[component.plugin] = component.api_key_env or KEY_ENVIRONMENT[component.plugin]
    return dict(sorted(missing.items()))


@asynccontextmanager
async def rig(settings: Settings, folder: Path, *, lab_only: bool = False) -> AsyncIterator[Settings]:
    """Start the lab for providers without a key, and with it the shop where no tools are configured.

    Args:
        settings: of the deployment.
        folder: made when it is not there; the shop keeps its orders in it.
        lab_only: use the lab for every provider, even where a key is set.

    Yields:
        The settings with the lab and the shop in place.

    Raises:
        RigError: a document has errors, the folder cannot be made, or the lab is needed and not installed, cannot
            stand in for a provider, or did not start.
    """
    catalogue = check_documents(settings)
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise RigError(f"{folder} cannot be made ({error.strerror}): choose another place for it") from error
    configured = {} if lab_only else settings.stand_ins
    endpoints = Endpoints(
        {} if lab_only else None, {plugin: Endpoint("lab", url) for plugin, url in configured.items()}
    )
    missing = without_key(catalogue, endpoints)
    if not missing:
        yield settings
        return
    if beyond := {plugin: key for plugin, key in missing.items() if plugin not in SIMULATED}:
        names = ", ".join(beyond)
        raise RigError(
            f"the lab cannot stand in for {names}: leave {names} out of {settings.catalogue}"
            + ("" if lab_only else f", or set {', '.join(beyond.values())}")
        )
    if absent := [part for part in LAB_PARTS if importlib.util.find_spec(part) is None]:
        keys = "" if lab_only else f", or set {', '.join(missing.values())} (see `patchbay doctor`)"
        raise RigError(
            f"{', '.join(missing)} would run on the lab, which is not installed ({', '.join(absent)}): "
            f"run `uv sync --extra lab`{keys}"
        )
    from lab.errors import LabError
    from lab.process import LabProcess
    from lab.shop import ShopProcess

    async with AsyncExitStack() as running:
        try:
            lab = await running.enter_async_context(LabProcess())
            servers = settings.mcp
            if not servers:
                servers = (await running.enter_async_context(ShopProcess(folder / "shop.sqlite"))).url
        except LabError as error:
            raise RigError(str(error)) from error
        urls = lab.stand_ins
        stand_ins = {**configured, **{plugin: urls[plugin] for plugin in missing}}
        yield settings.model_copy(update={"stand_ins": stand_ins, "mcp": servers})
