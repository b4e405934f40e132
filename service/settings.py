"""What a deployment sets, from the environment; secrets stay there and are read by the parts that need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from classifiers import caller_state, emotion, tool_need
from compliance.consent import Disclosures, Rules
from compliance.events import Topic
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
    redaction: Path = shipped("redaction.yaml")
    """The redaction policy: what is masked, how, and by which models."""
    retention: Path = shipped("retention.yaml")
    """The retention policy: how long what of the record is kept; `patchbay audit retain` carries it out."""
    audit_token: SecretStr | None = None
    """Who you are to `patchbay audit`: a token that an admin issued, or an ID or access token of the OIDC issuer."""
    oidc_issuer: str = ""
    """The OpenID Connect issuer that vouches for people, as its tokens name it in `iss`."""
    oidc_audience: str = ""
    """This deployment, as the issuer's tokens name it in `aud`."""
    oidc_role_claim: str = "roles"
    """The claim with people's roles: a list, or words in a text; a dot leads into an object (`realm_access.roles`)."""
    oidc_roles: dict[str, Literal["auditor", "privacy_officer", "admin", "service"]] = {}
    """What each role is called by the issuer, as JSON; by default as here."""
    oidc_tenant_claim: str = ""
    """The claim with the tenants whose logs a person may oversee, read as roles are; without one, all tenants'."""
    ledger: str = ".patchbay/ledger.sqlite"
    """Where the record is kept: a path, or the URL of a PostgreSQL database, ``postgresql://user@host/database``.

    Its keys are in ``PATCHBAY_LEDGER_KEYS``, or in the file that ``PATCHBAY_LEDGER_KEY_FILE`` names; for a path, by
    default, in a file beside it that is made with a new ledger.
    """
    ledger_origin: str = ""
    """What the names of new logs begin with, such as ``record.example.com``; by default ``patchbay.local/ledger``."""
    ledger_anchor: Path | None = None
    """A file, on storage that nobody can rewrite, in which checkpoints of the record are published."""
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
    jurisdiction: str = ""
    """The state or country within the region, where its rules differ: a name in the disclosures, such as `us-ca`."""
    disclosures: Path = shipped("disclosures.yaml")
    """What callers are told and asked, by whose law applies to them."""
    consent_voice_ai: bool = False
    """Whether callers of this line have consented to a speech-to-speech vendor hearing them; no until you say so."""
    consent_emotion: bool = True
    """Whether callers' voices are judged for emotion, once the disclosures' rules allow it; else nothing listens."""
    fail_open_audio: bool = True
    """Whether a call goes on that cannot be recorded; ``false`` where the tenant of this line demands a record."""
    record_grace_s: float = Field(default=30.0, ge=0)
    """Seconds for which the disk may stand in for the ledger before such a call is ended politely."""
    consent_recording: bool = False
    """Whether calls are recorded beyond the redacted record, once the disclosures' rules allow it."""
    recordings: Path | None = None
    """Where recordings are kept, encrypted; by default the folder ``recordings`` beside the ledger."""
    recording_destroyed_when_revoked: bool = True
    """Whether a recording is destroyed when its caller takes the consent back; else what came before is kept."""
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
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """The port on which a worker shows Prometheus its metrics and those of its calls, on ``health_host``; 0: none."""

    @field_validator("jurisdiction")
    @classmethod
    def _lies_in_the_region(cls, jurisdiction: str, known: ValidationInfo) -> str:
        region = known.data.get("region", "")
        if jurisdiction not in ("", region) and not jurisdiction.startswith(f"{region}-"):
            raise ValueError(f"it is not in the region '{region}', which PATCHBAY_REGION sets")
        return jurisdiction

    def policy_folder(self) -> Path:
        """The folder in which accepted policies are kept."""
        if self.policy_cache is not None:
            return self.policy_cache
        return (Path(".patchbay") if "://" in self.ledger else Path(self.ledger).parent) / "policies"

    def recordings_folder(self) -> Path:
        """The folder of recordings."""
        if self.recordings is not None:
            return self.recordings
        return (Path(".patchbay") if "://" in self.ledger else Path(self.ledger).parent) / "recordings"

    def wanted(self) -> frozenset[Topic]:
        """What this line does with callers who let it."""
        wishes: dict[Topic, bool] = {
            "recording": self.consent_recording,
            "emotion": self.consent_emotion,
            "voice_ai": self.consent_voice_ai,
        }
        return frozenset(topic for topic, wanted in wishes.items() if wanted)

    def rules(self, disclosures: Disclosures) -> Rules:
        """What callers of this line are told and asked. Raises :class:`compliance.consent.UnknownJurisdictionError`."""
        return disclosures.of(self.jurisdiction or self.region)

    def tool_servers(self) -> tuple[str, ...]:
        """The MCP servers, in order."""
        return tuple(url.strip() for url in self.mcp.split(",") if url.strip())
