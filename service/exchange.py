"""What all calls of a line share, loaded once: policy, catalogue, prices, models, ledger."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from classifiers import ClassifierError
from classifiers.caller_state import CallerStateModel
from classifiers.tool_need import ToolNeedModel
from classifiers.words.language import load as load_language
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from compliance.redaction import RedactionEngine
from engines.catalogue import Catalogue
from engines.plugins import Endpoint, Endpoints
from engines.prices import Prices
from router import Policy
from service.aside import Aside, AsideProcess
from service.facts import Classifiers
from service.policies.store import PolicyStore
from service.said import SPOKEN_LANGUAGE
from service.settings import Settings

logger = logging.getLogger(__name__)

ARCHIVE_S = 1.0
"""A call does not wait longer for its policy to be archived; it is archived all the same."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The shared parts. Everything in it is read-only or safe to share, except the ledger, which locks."""

    settings: Settings
    policies: PolicyStore
    policy: Policy
    """The one that calls are answered under: :meth:`for_call` has that of its moment."""
    catalogue: Catalogue
    prices: Prices
    endpoints: Endpoints
    aside: Aside
    """Where callers' voices are judged."""
    classifiers: Classifiers
    """Those that judge in this process."""
    ledger: Ledger

    @classmethod
    def load(cls, settings: Settings, *, lab_only: bool = False, aside: Aside | None = None) -> Exchange:
        """Load everything a call needs.

        Args:
            settings: of the deployment.
            lab_only: use the settings' stand-ins even where a provider's key is set.
            aside: a process beside the calls that somebody else keeps up; by default there is one for this process.

        Raises:
            policies.DocumentError: the catalogue or price list has errors; all are listed.
            service.policies.errors.PolicyLifeError: no policy that is offered, or was, may be served.
            engines.errors.EngineNotConfiguredError: a provider has no key and no stand-in.
            classifiers.ClassifierError: a model folder cannot be used.
            compliance.errors.LedgerError: the ledger cannot be opened.
        """
        catalogue = Catalogue.load(settings.catalogue)
        policies = PolicyStore.of(settings, catalogue.engines)
        policy = policies.refresh()
        _load_for(policy)
        endpoints = Endpoints(
            environment={} if lab_only else None,
            stand_ins={
                plugin: Endpoint("lab", url, simulated=True) for plugin, url in settings.stand_ins.items()
            },
        )
        for component in catalogue.components():
            endpoints.of(component)
        # Another process loads its models while this one loads its own.
        beside = aside or AsideProcess.start(settings.emotion_model)
        try:
            RedactionEngine.shared()  # slow to build; not during a call
            beside.wait_until_ready()
            return cls(
                settings=settings,
                policies=policies,
                policy=policy,
                catalogue=catalogue,
                prices=Prices.load(settings.prices),
                endpoints=endpoints,
                aside=beside,
                classifiers=Classifiers(
                    tool_need=ToolNeedModel.load(settings.tool_need_model),
                    caller_state=CallerStateModel.load(settings.caller_state_model),
                ),
                ledger=Ledger.open(settings.ledger),
            )
        except BaseException:
            beside.close()
            raise

    async def for_call(self) -> Exchange:
        """The same, with the policy for a call that begins now. The call keeps it, whatever is rolled out meanwhile.

        The policy is archived in the ledger, so that the call can be replayed under it.
        """
        policy = await self.policies.current()
        prepared = asyncio.get_running_loop().run_in_executor(None, self._prepare, policy)
        await asyncio.wait({prepared}, timeout=ARCHIVE_S)
        if prepared.done():
            prepared.result()
        return replace(self, policy=policy)

    def _prepare(self, policy: Policy) -> None:
        """What takes a while with a policy that is new, and must not hold up calls that are on."""
        policy.for_tenant(self.settings.tenant)
        try:
            _load_for(policy)
        except ClassifierError as error:
            logger.error("a policy asks for the language of callers, which stays unknown: %s", error)
        try:
            self.ledger.keep_policy(policy.hash, policy.name, policy.version, policy.content.source)
        except LedgerError as error:  # the call matters more
            logger.error("a policy is not archived, so calls cannot be replayed under it: %s", error)

    @property
    def simulated(self) -> tuple[str, ...]:
        """The providers that are simulated by the lab."""
        return self.endpoints.simulated(self.catalogue.components())

    def close(self) -> None:
        self.aside.close()
        self.policies.close()
        self.ledger.close()


def _load_for(policy: Policy) -> None:
    """Load what only some policies ask for."""
    if SPOKEN_LANGUAGE in policy.content.reads:
        load_language()
