"""What a deployment sets, from the environment; secrets stay there and are read by the parts that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from classifiers import emotion, tool_need
from policies import shipped


class Settings(BaseSettings):
    """Settings of the service. Every field can be set as ``PATCHBAY_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="PATCHBAY_", extra="ignore", frozen=True)

    policy: Path = shipped("default.yaml")
    """The routing policy."""
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
    """The folder of the tool-need model."""
    region: Literal["eu", "ch", "us", "uk", "other"] = "other"
    """Whose law applies to callers of this line."""
    consent_voice_ai: bool = False
    """Whether callers of this line have consented to a speech-to-speech vendor hearing them; no until you say so."""
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

    def tool_servers(self) -> tuple[str, ...]:
        """The MCP servers, in order."""
        return tuple(url.strip() for url in self.mcp.split(",") if url.strip())
