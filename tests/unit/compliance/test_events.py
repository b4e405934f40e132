"""Every field of every event says what it may hold: nothing reaches a sink that nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, Field

from compliance.events import Data, Event, Fact, HeardAgain, Kept, Redactable, Spoken, redactable
from compliance.oversight import OversightEvent

pytestmark = pytest.mark.unit

KINDS: list[type[BaseModel]] = [
    kind for union in (Event, OversightEvent) for kind in get_args(get_args(union)[0])
]
HARMLESS = (bool, int, float, NoneType)
"""What cannot hold words."""


def unclassified(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[str]:
    """The parts of a type that may hold text and are not marked."""
    if any(isinstance(mark, Redactable | Kept) for mark in metadata):
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from unclassified(arguments[0], arguments[1:])
    elif origin in (Union, UnionType, tuple, list, dict):
        for argument in arguments:
            if argument is not Ellipsis:
                yield from unclassified(argument)
    elif origin is not Literal and annotation not in HARMLESS:
        yield str(annotation)


def fields(kind: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    for name, info in kind.model_fields.items():
        found = list(unclassified(info.annotation, tuple(info.metadata)))
        if found:
            yield name, found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_text_of_an_event_is_classified(kind: type[BaseModel]) -> None:
    assert dict(fields(kind)) == {}, (
        "mark it: Spoken, HeardAgain or Data when it may hold words of a call, else Fact"
    )


class _Careless(BaseModel):
    """An event as somebody in a hurry writes it."""

    note: str
    notes: tuple[str, ...] = ()
    more: dict[str, Any] = Field(default_factory=dict)
    engine: Fact = ""
    scores: dict[Fact, float] = Field(default_factory=dict)
    text: Spoken = ""
    again: HeardAgain = ""
    value: Data = None
    kind: Literal["careless"] = "careless"


def test_a_field_that_nobody_classified_is_found() -> None:
    assert set(dict(fields(_Careless))) == {"note", "notes", "more"}


def test_the_marks_that_mask_are_those_that_the_redactor_reads() -> None:
    assert redactable(_Careless(note="")) == {
        "text": Redactable.SPOKEN,
        "again": Redactable.HEARD_AGAIN,
        "value": Redactable.DATA,
    }
