"""What all calls of a line share, loaded once: policy, catalogue, prices, models, ledger."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from classifiers import ClassifierError
from classifiers.caller_state import CallerStateModel
from classifiers.tool_need import ToolNeedModel
from classifiers.words.language import load as load_language
from compliance.consent import Disclosures, Rules
from compliance.errors import LedgerError
from compliance.events import Event
from compliance.ledger import DEFAULT_ORIGIN, Ledger
from compliance.ledger.anchors import FileAnchor
from compliance.redaction.policy import RedactionPolicy
from compliance.spool import take_in
from engines.catalogue import Catalogue
from engines.plugins import Endpoint, Endpoints, preload
from engines.prices import Prices
from engines.trial import try_out
from router import Policy
from service.aside import Aside, AsideProcess, Emotion, Redaction
from service.facts import Classifiers
from service.health import SharedCircuits
from service.placeholders import check as check_placeholders
from service.policies.store import PolicyStore
from service.said import SPOKEN_LANGUAGE
from service.settings import Settings
from service.telemetry import watch_circuit, watchers

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
    rules: Rules
    """What callers are told and asked, by whose law applies to them."""
    endpoints: Endpoints
    aside: Aside
    """Where callers' voices are judged."""
    redaction: Aside
    """Where what is said is redacted."""
    redaction_policy: RedactionPolicy
    """How."""
    classifiers: Classifiers
    """Those that judge in this process."""
    ledger: Ledger
    watchers: tuple[Callable[[Event], None], ...]
    """Told every event of every call, redacted: telemetry."""
    circuits: SharedCircuits = field(default_factory=SharedCircuits)
    """What calls find out about providers."""

    @classmethod
    def load(
        cls,
        settings: Settings,
        *,
        lab_only: bool = False,
        aside: Aside | None = None,
        redaction: Aside | None = None,
        circuits: SharedCircuits | None = None,
    ) -> Exchange:
        """Load everything a call needs.

        Args:
            settings: of the deployment.
            lab_only: use the settings' stand-ins even where a provider's key is set.
            aside: where voices are judged, if somebody else keeps that up; by default there is one for this process.
            redaction: where texts are redacted, likewise.
            circuits: what calls find out about providers; by default what those of this process do.

        Raises:
            policies.DocumentError: the catalogue or price list has errors; all are listed.
            service.policies.errors.PolicyLifeError: no policy that is offered, or was, may be served.
            engines.errors.EngineNotConfiguredError: a provider has no key and no stand-in, or refuses its options.
            classifiers.ClassifierError: a model folder cannot be used.
            compliance.errors.ComplianceError: the redactor cannot be loaded, or the ledger not be opened.
        """
        catalogue = Catalogue.load(settings.catalogue)
        policies = PolicyStore.of(settings, catalogue.names)
        policy = policies.refresh()
        _load_for(policy)
        endpoints = Endpoints(
            stand_ins={
                plugin: Endpoint("lab", url, simulated=True) for plugin, url in settings.stand_ins.items()
            },
            lab_only=lab_only,
        )
        for component in catalogue.components():
            endpoints.of(component)
        preload(catalogue.components())
        try_out(catalogue, endpoints.of)
        redaction_policy = RedactionPolicy.load(settings.redaction)
        check_placeholders(redaction_policy, catalogue, last_resort=policy.default_engine)
        with ExitStack() as started:
            # Other processes load their models while this one loads its own.
            voices = aside or AsideProcess.start(Emotion(settings.emotion_model))
            started.callback(voices.close)
            redactor = redaction or AsideProcess.start(Redaction(settings.redaction))
            started.callback(redactor.close)
            exchange = cls(
                settings=settings,
                policies=policies,
                policy=policy,
                catalogue=catalogue,
                prices=Prices.load(settings.prices),
                rules=settings.rules(Disclosures.load(settings.disclosures)),
                endpoints=endpoints,
                aside=voices,
                redaction=redactor,
                redaction_policy=redaction_policy,
                classifiers=Classifiers(
                    tool_need=ToolNeedModel.load(settings.tool_need_model),
                    caller_state=CallerStateModel.load(settings.caller_state_model),
                ),
                ledger=open_ledger(settings, anchored=not lab_only),
                watchers=watchers(os.environ),
                circuits=circuits or SharedCircuits(watch=watch_circuit),
            )
            started.callback(exchange.ledger.close)
            voices.wait_until_ready()
            redactor.wait_until_ready()
            started.pop_all()
            return exchange

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
        self.redaction.close()
        self.policies.close()
        self.ledger.close()


def open_ledger(settings: Settings, *, anchored: bool) -> Ledger:
    """The log of the settings' tenant, with what earlier processes could not give it; ``anchored`` publishes it.

    Raises:
        compliance.errors.LedgerError: it cannot be opened.
    """
    ledger = Ledger.open(
        settings.ledger,
        tenant=settings.tenant,
        origin=settings.ledger_origin or DEFAULT_ORIGIN,
        anchors=[FileAnchor(settings.ledger_anchor)] if anchored and settings.ledger_anchor else (),
    )
    if taken := take_in(ledger):
        logger.warning("events that an earlier process could not give the ledger, now in it: %d", taken)
    return ledger


def _load_for(policy: Policy) -> None:
    """Load what only some policies ask for."""
    if SPOKEN_LANGUAGE in policy.content.reads:
        load_language()
