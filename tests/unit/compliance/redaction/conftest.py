"""One redactor per test over the shared engine."""

from collections.abc import Callable

import pytest

from compliance.redaction import Redacted, Redactor

Converse = Callable[..., list[Redacted]]


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def converse(redactor: Redactor) -> Converse:
    """Plays utterances; those that begin with ``A:`` are the agent's."""

    def play(*utterances: str) -> list[Redacted]:
        return [
            redactor.redact_spoken(u[2:].strip(), speaker="agent")
            if u.startswith("A:")
            else redactor.redact_spoken(u, speaker="caller")
            for u in utterances
        ]

    return play
