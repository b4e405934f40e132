"""One redactor per test over one engine of rules; what the model of names adds is tested beside the model."""

from collections.abc import Callable

import pytest

from compliance.redaction import Redacted, RedactionEngine, Redactor
from compliance.redaction.names import NoNames
from compliance.redaction.session import Voice

Converse = Callable[..., list[Redacted]]


@pytest.fixture(scope="session")
def rules() -> RedactionEngine:
    """The engine of the shipped policy without a model."""
    return RedactionEngine(names=NoNames())


@pytest.fixture
def redactor(rules: RedactionEngine) -> Redactor:
    return Redactor(rules)


@pytest.fixture
def converse(redactor: Redactor) -> Converse:
    """Plays utterances; those that begin with ``A:`` are the agent's, with ``P:`` those of a person with the call."""
    speakers: dict[str, Voice] = {"A:": "agent", "P:": "person"}

    def play(*utterances: str) -> list[Redacted]:
        return [
            redactor.redact_spoken(
                u[2:].strip() if u[:2] in speakers else u, speaker=speakers.get(u[:2], "caller")
            )
            for u in utterances
        ]

    return play
