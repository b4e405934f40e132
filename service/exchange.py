"""What all calls of a line share, loaded once: policy, catalogue, prices, models, ledger."""

from __future__ import annotations

from dataclasses import dataclass

from classifiers.emotion import EmotionModel
from classifiers.tool_need import ToolNeedModel
from compliance.ledger import Ledger
from compliance.redaction import RedactionEngine
from engines.catalogue import Catalogue
from engines.plugins import Endpoint, Endpoints
from engines.prices import Prices
from router import Policy
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Exchange:
    """The shared parts. Everything in it is read-only or safe to share, except the ledger, which locks."""

    settings: Settings
    policy: Policy
    catalogue: Catalogue
    prices: Prices
    endpoints: Endpoints
    emotion: EmotionModel
    tool_need: ToolNeedModel
    ledger: Ledger

    @classmethod
    def load(cls, settings: Settings, *, lab_only: bool = False) -> Exchange:
        """Load everything a call needs.

        Args:
            settings: of the deployment.
            lab_only: use the settings' stand-ins even where a provider's key is set.

        Raises:
            policies.DocumentError: the policy, catalogue or price list has errors; all are listed.
            engines.errors.EngineNotConfiguredError: a provider has no key and no stand-in.
            classifiers.ClassifierError: a model folder cannot be used.
            compliance.errors.LedgerError: the ledger cannot be opened.
        """
        catalogue = Catalogue.load(settings.catalogue)
        policy = Policy.load(settings.policy, engines=catalogue.engines)
        endpoints = Endpoints(
            environment={} if lab_only else None,
            stand_ins={
                plugin: Endpoint("lab", url, simulated=True) for plugin, url in settings.stand_ins.items()
            },
        )
        for component in catalogue.components():
            endpoints.of(component)
        # The emotion model first: loading it keeps transformers, which Presidio imports too, from announcing
        # at every start that it has no torch.
        emotion = EmotionModel.load(settings.emotion_model)
        RedactionEngine.shared()  # slow to build; not during a call
        return cls(
            settings=settings,
            policy=policy,
            catalogue=catalogue,
            prices=Prices.load(settings.prices),
            endpoints=endpoints,
            emotion=emotion,
            tool_need=ToolNeedModel.load(settings.tool_need_model),
            ledger=Ledger.open(settings.ledger),
        )

    @property
    def simulated(self) -> tuple[str, ...]:
        """The providers that are simulated by the lab."""
        return self.endpoints.simulated(self.catalogue.components())

    def close(self) -> None:
        self.ledger.close()
