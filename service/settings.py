"""What a deployment sets, from the environment; secrets stay there and are read by the parts that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from classifiers import caller_state, emotion, tool_need
from policies import shipped
from service.policies.addresses import is_address, safe_address


def _place(value: object) -> object:
    """An address stays the text that it is, for a ``Path`` would fold its slashes; anything else is a path."""
    if isinstance(value, str):
        return safe_address(value) if is_address(value) else Path(value)
    return value


class Settings(BaseSettings):
    """Settings of the service. Every field can be set as ``PATCHBAY_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="PATCHBAY_", extra="ignore", frozen=True)

    policy: Annotated[Path | str, BeforeValidator(_place)] = shipped("default.yaml")
    """The routing policy: a file, a folder of signed bundles, or the ``https`` address of one."""
    policy_keys: str = ""
    """Public keys that may sign policies, separated by commas; with one set, only signed bundles are accepted."""
    policy_cache: Path | None = None
    """Where the last policy that was accepted is kept; by default the folder ``policies`` beside the ledger."""
    policy_poll_s: float = Field(default=30.0, ge=1.0, le=86_400.0)
    """Seconds between two questions to the address of a policy, give or take a fifth."""
    policy_allow_downgrade: bool = False
    """Whether a bundle may replace one of a higher version, or one of another name."""
    catalogue: Path = shipped("engines.yaml")
    """The engine catalogue."""
    prices: Path = shipped("prices.yaml")
    """The price list."""
    ledger: str = ".patchbay/ledger.sqlite"
    """Where the record is kept: a path, or an SQLAlchemy URL."""
    mcp: str = ""
    """URLs of MCP tool servers, separated by commas."""
    stand_ins: dict[str, str] = {}
    """Base URLs of simulated providers by plugin, as JSON; used where a provider has no key."""
    emotion_model: Path = emotion.SHIPPED
    """A Hugging Face style folder with an audio-classification model."""
    tool_need_model: Path = tool_need.SHIPPED
    """The folder of the tool-need model, such as one that `patchbay train tool-need` wrote."""
    caller_state_model: Path = caller_state.SHIPPED
    """The folder of the model that weighs the caller's voice and words together."""
    region: Literal["eu", "ch", "us", "uk", "other"] = "other"
    """Whose law applies to callers of this line."""
    consent_voice_ai: bool = False
    """Whether callers of this line have consented to a speech-to-speech vendor hearing them; no until you say so."""
    consent_emotion: bool = True
    """Whether callers' voices may be judged for emotion; where they may not, nothing listens for it."""
    consent_recording: bool = True
    """Whether calls may be recorded beyond the redacted record, for policies that ask."""
    tenant: str = ""
    """Whose calls this line answers, where the policy has an overlay for that tenant."""
    queue: str = "support"
    """The queue this line answers."""
    budget_usd: float = Field(default=1.0, gt=0)
    """What one call may cost before the policy's budget guard acts."""
    worker_name: str = "patchbay"
    """The name LiveKit dispatches calls to."""
    calls_per_worker: int = Field(default=10, gt=0)
    """Calls a worker takes before it reports itself full."""
    idle_processes: int = Field(default=2, gt=0)
    """Processes that a worker keeps ready with models loaded: calls that can begin at the same moment."""
    health_host: str = "127.0.0.1"
    """The address on which a worker answers health checks; ``0.0.0.0`` where a probe comes from outside."""
    health_port: int = Field(default=8081, ge=0, le=65535)
    """The port on which a worker answers health checks; 0 is any free one."""

    def policy_folder(self) -> Path:
        """The folder in which accepted policies are kept."""
        if self.policy_cache is not None:
            return self.policy_cache
        return (Path(".patchbay") if "://" in self.ledger else Path(self.ledger).parent) / "policies"

    def tool_servers(self) -> tuple[str, ...]:
        """The MCP servers, in order."""
        return tuple(url.strip() for url in self.mcp.split(",") if url.strip())
