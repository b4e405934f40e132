"""What a deployment sets, from the environment; secrets stay there and are read by the parts that need them."""

from __future__ import annotations

import re
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
    redaction_closing_s: float = Field(default=5.0, ge=0, le=60)
    """Seconds that the end of a call waits for a redactor that does not answer; what is left is then withheld."""
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
    """The port on which a worker or `patchbay web` shows Prometheus its calls' metrics, on ``health_host``; 0: none."""
    web_host: str = "127.0.0.1"
    """The address on which `patchbay web` listens; ``0.0.0.0`` behind a proxy that is elsewhere."""
    web_port: int = Field(default=8080, ge=0, le=65535)
    """The port on which `patchbay web` listens; 0 is any free one."""
    web_origins: str = ""
    """Origins whose pages may begin calls, separated by commas, such as ``https://shop.example.com``."""
    web_site_token: SecretStr | None = None
    """What a site's pages begin calls with, beside tokens of the role `service`; everybody can read it in the page."""
    web_proxies: int = Field(default=0, ge=0, le=10)
    """Proxies in front of `patchbay web`, each of which adds whom it answers to ``X-Forwarded-For``."""
    web_requests_per_minute: float = Field(default=20.0, gt=0)
    """What one client may ask of `patchbay web` in the long run, and half of it at once."""
    web_calls: int = Field(default=50, gt=0)
    """Calls from browsers to a vendor directly that may be on at once."""
    web_engine: str = ""
    """The realtime engine that browsers call directly; by default the catalogue's first that OpenAI's plugin runs."""
    web_client_secrets: bool = False
    """Whether pages may have client secrets of the vendor, with which they can also call it unrecorded."""
    web_secret_s: int = Field(default=60, ge=10, le=600)
    """Seconds for which a client secret is good."""
    web_join_s: int = Field(default=120, ge=10, le=600)
    """Seconds in which the holder of a token for a room has to join it."""
    web_longest_call_s: float = Field(default=900.0, gt=0)
    """Seconds after which a call from a browser to a vendor is ended, whatever the policy says."""

    @field_validator("jurisdiction")
    @classmethod
    def _lies_in_the_region(cls, jurisdiction: str, known: ValidationInfo) -> str:
        region = known.data.get("region", "")
        if jurisdiction not in ("", region) and not jurisdiction.startswith(f"{region}-"):
            raise ValueError(f"it is not in the region '{region}', which PATCHBAY_REGION sets")
        return jurisdiction

    @field_validator("web_origins")
    @classmethod
    def _are_origins(cls, origins: str) -> str:
        for origin in filter(None, map(str.strip, origins.split(","))):
            if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?", origin):
                raise ValueError(
                    f"'{origin}' is no origin: scheme and host in small letters, without a path, and no '*'"
                )
        return origins

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

    def page_origins(self) -> frozenset[str]:
        """Whose pages may begin calls."""
        return frozenset(filter(None, map(str.strip, self.web_origins.split(","))))

    def tool_servers(self) -> tuple[str, ...]:
        """The MCP servers, in order."""
        return tuple(url.strip() for url in self.mcp.split(",") if url.strip())
