from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from compliance.events import EVENT, Kept, Redactable
from compliance.oversight import KINDS, OVERSIGHT, HoldPlaced, OversightEvent

pytestmark = pytest.mark.unit

EVENTS: tuple[type[BaseModel], ...] = get_args(get_args(OversightEvent)[0])


def texts() -> Iterator[tuple[type[BaseModel], str]]:
    """Every field that can hold text, but for ``kind``, which holds one word."""
    for event in EVENTS:
        for name, field in event.model_fields.items():
            if name != "kind" and field.annotation not in (int, float, tuple[int, ...]):
                yield event, name


@pytest.mark.parametrize(("event", "name"), list(texts()), ids=lambda one: getattr(one, "__name__", one))
def test_every_text_says_why_it_may_be_kept(event: type[BaseModel], name: str) -> None:
    marks = [mark for mark in event.model_fields[name].metadata if isinstance(mark, Kept | Redactable)]
    assert len(marks) == 1


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_says_who_and_when_and_every_field_is_explained(event: type[BaseModel]) -> None:
    assert {"call_id", "at", "actor", "role"} <= set(event.model_fields)
    assert event.__doc__
    assert get_type_hints(event)


@pytest.mark.parametrize("name", ["reason", "words", "facts"])
def test_what_people_type_is_masked(name: str) -> None:
    for event in EVENTS:
        if name in event.model_fields:
            assert any(isinstance(mark, Redactable) for mark in event.model_fields[name].metadata)


def test_no_kind_is_also_that_of_a_calls_event() -> None:
    assert len(KINDS) == len(EVENTS)
    calls = {kind for kind in EVENT.json_schema()["discriminator"]["mapping"]}
    assert not KINDS & calls


@given(reason=st.text(), hold=st.text(max_size=20))
def test_what_is_written_is_what_is_read(reason: str, hold: str) -> None:
    placed = HoldPlaced(
        call_id="c", at="2026-11-20T12:00:00Z", actor="token:pia", role="auditor", hold=hold, reason=reason
    )
    try:
        said = placed.model_dump_json()
    except ValueError:  # half a surrogate pair is no text; the redactor replaces it before this
        return
    assert OVERSIGHT.validate_json(said) == placed


BY = {"actor": "token:pia", "role": "admin", "at": "2026-11-20T12:00:00Z"}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"kind": "looked", **BY},
        {"kind": "token_revoked", "token": "t", **BY, "also": 1},
        {"kind": "token_revoked", "token": "t", **BY, "at": "yesterday"},
        {"kind": "token_revoked", "token": "t", **BY, "at": "2026-11-20T12:00:00"},
        {
            "kind": "token_issued",
            "token": "t",
            "name": "n",
            "grants": "owner",
            "digest": "d",
            "expires_at": "2026-11-21T12:00:00Z",
            **BY,
        },
    ],
)
def test_what_is_no_event_is_not_read(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OVERSIGHT.validate_python(said)
    assert OVERSIGHT.validate_python({"kind": "token_revoked", "token": "t", **BY})
