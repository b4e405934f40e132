"""What a command needs around a call: the lab and its shop, where keys or tools are missing."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from engines.catalogue import Catalogue
from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.keys import variable_of
from engines.plugins import Endpoint, Endpoints, preload
from engines.prices import Prices
from policies import DocumentError
from service.cli.errors import CommandError
from service.policies.addresses import is_address
from service.policies.errors import PolicyLifeError
from service.policies.following import following
from service.policies.store import PolicyStore
from service.settings import Settings

LAB_PARTS = ("pocketsphinx", "espeakng_loader")
SIMULATED = ("openai", "deepgram", "elevenlabs", "google")
"""Providers that the lab can stand in for."""


def simulated(catalogue: Catalogue, part: Component) -> bool:
    """Whether the lab can stand in for it: of Google's models, for those that hear the caller."""
    minds = [engine.mind for engine in catalogue.engines.values() if engine.kind == "cascade"]
    return part.plugin in SIMULATED and not (part.plugin == "google" and part in minds)


def check_documents(settings: Settings) -> Catalogue:
    """Read what an operator edits, before anything is started for it.

    Raises:
        CommandError: with every error of the catalogue, the policy and the price list.
    """
    catalogue, wrong = None, []
    try:
        catalogue = Catalogue.load(settings.catalogue)
    except DocumentError as error:
        wrong.append(str(error))
    engines = None if catalogue is None else catalogue.names
    for check in (lambda: _check_policy(settings, engines), lambda: Prices.load(settings.prices)):
        try:
            check()
        except (DocumentError, PolicyLifeError) as error:
            wrong.append(str(error))
    if wrong or catalogue is None:
        raise CommandError("\n".join(wrong))
    return catalogue


def _check_policy(settings: Settings, engines: Collection[str] | None) -> None:
    """That there is a policy to answer calls under; one at an address is not there before it is fetched."""
    if not is_address(str(settings.policy)):
        with closing(PolicyStore.of(settings, engines)) as store:
            store.refresh()


def without_key(catalogue: Catalogue, endpoints: Endpoints) -> tuple[Component, ...]:
    """The parts of the catalogue that have no endpoint."""
    missing = []
    for component in catalogue.components():
        try:
            endpoints.of(component)
        except EngineNotConfiguredError:
            missing.append(component)
    return tuple(missing)


def _providers(parts: Iterable[Component]) -> str:
    return ", ".join(sorted({part.provider for part in parts}))


def _variables(parts: Iterable[Component]) -> str:
    return ", ".join(sorted({variable for part in parts if (variable := variable_of(part))}))


@asynccontextmanager
async def rig(
    settings: Settings, folder: Path, *, lab_only: bool = False, may_simulate: bool = True
) -> AsyncIterator[Settings]:
    """Follow the policy, start the lab for providers without a key, and the shop where no tools are configured.

    Args:
        settings: of the deployment.
        folder: made when it is not there; the shop keeps its orders in it.
        lab_only: use the lab for every provider, even where a key is set.
        may_simulate: whether the lab may stand in for a provider only because its key is not set. What the settings'
            ``stand_ins`` name is simulated in any case.

    Yields:
        The settings with the lab and the shop in place.

    Raises:
        CommandError: a document has errors, the folder cannot be made, or the lab is needed and not wanted, not
            installed, cannot stand in for a provider, or did not start.
        service.policies.errors.PolicyLifeError: there is no policy to answer calls under.
    """
    catalogue = check_documents(settings)
    preload(catalogue.components())
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be made ({error.strerror}): choose another place for it"
        ) from error
    async with (
        following(settings, catalogue.names),
        _stood_in_for(settings, catalogue, folder, lab_only, may_simulate) as ready,
    ):
        yield ready


@asynccontextmanager
async def _stood_in_for(
    settings: Settings, catalogue: Catalogue, folder: Path, lab_only: bool, may_simulate: bool
) -> AsyncIterator[Settings]:
    """The settings with the lab in the place of providers without a key, and the shop in that of tools."""
    configured = {} if lab_only else settings.stand_ins
    endpoints = Endpoints(
        stand_ins={plugin: Endpoint("lab", url) for plugin, url in configured.items()}, lab_only=lab_only
    )
    missing = without_key(catalogue, endpoints)
    if not missing:
        yield settings
        return
    if beyond := [part for part in missing if not simulated(catalogue, part)]:
        names = _providers(beyond)
        raise CommandError(
            f"the lab cannot stand in for {names}: leave {names} out of {settings.catalogue}"
            + ("" if lab_only else f", or set {_variables(beyond)}")
        )
    if not may_simulate:
        keys = _variables(missing)
        are, them = ("are", "them") if "," in keys else ("is", "it")
        raise CommandError(
            f"{keys} {are} not set, and rooms are not answered by the lab, which only simulates {_providers(missing)}: "
            f"set {them} (see `patchbay doctor`), or try the line without customers by "
            "`patchbay worker --simulated start`"
        )
    if absent := [part for part in LAB_PARTS if importlib.util.find_spec(part) is None]:
        keys = "" if lab_only else f", or set {_variables(missing)} (see `patchbay doctor`)"
        raise CommandError(
            f"{_providers(missing)} would run on the lab, which is not installed ({', '.join(absent)}): "
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
            raise CommandError(str(error)) from error
        urls = lab.stand_ins
        stand_ins = {**configured, **{part.plugin: urls[part.plugin] for part in missing}}
        yield settings.model_copy(update={"stand_ins": stand_ins, "mcp": servers})
