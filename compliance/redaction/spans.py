"""Which entity each character belongs to, where several were found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from compliance.redaction.pieces import Found
from compliance.redaction.traits import traits_of


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a text, as it was before redaction, are ``entity``."""

    start: int
    end: int
    entity: str


def resolved(text: str, found: Iterable[Found]) -> tuple[Span, ...]:
    """What is masked in ``text``, in order and without overlaps; together it covers all that was ``found``.

    A finding inside another one disappears in it, unless it is surer or may never be revealed: a card's number stays a
    card's inside of what looks like an address. Of two that overlap otherwise, the surer one keeps its characters.
    """
    spans = [one for cluster in _clusters(found) for one in _shared_out(cluster)]
    return tuple(_joined(text, spans))


def _clusters(found: Iterable[Found]) -> Iterator[list[Found]]:
    """The findings parted where nothing overlaps, in order."""
    cluster: list[Found] = []
    end = 0
    for one in sorted({f for f in found if f.start < f.end}, key=lambda f: (f.start, f.end)):
        if cluster and one.start >= end:
            yield cluster
            cluster = []
        cluster.append(one)
        end = max(end, one.end)
    if cluster:
        yield cluster


def _shared_out(cluster: list[Found]) -> list[Found]:
    """Each character of a cluster to one entity: to the surest that has it."""
    if len(cluster) == 1:
        return cluster
    first, end = cluster[0].start, max(one.end for one in cluster)
    owners: list[Found | None] = [None] * (end - first)
    for one in reversed(sorted(cluster, key=_rank, reverse=True)):  # of equals the first to begin
        owners[one.start - first : one.end - first] = [one] * (one.end - one.start)
    shared: list[Found] = []
    at = first
    for owner, run in groupby(owners):
        start, at = at, at + len(list(run))
        shared += [replace(owner, start=start, end=at)] if owner else []
    return shared


def _rank(found: Found) -> tuple[bool, float, int, str]:
    secret = not traits_of(found.entity).may_be_revealed
    return secret, found.score, found.end - found.start, str(found.entity)


def _joined(text: str, found: list[Found]) -> list[Span]:
    """Neighbours of one entity with nothing but space and punctuation between them are one span."""
    spans: list[Span] = []
    for one in found:
        last = spans[-1] if spans else None
        between = text[last.end : one.start] if last else ""
        if last and last.entity == one.entity and not any(c.isalnum() for c in between) and len(between) <= 3:
            spans[-1] = replace(last, end=one.end)
        elif any(c.isalnum() for c in text[one.start : one.end]):
            spans.append(Span(one.start, one.end, str(one.entity)))
    return spans
