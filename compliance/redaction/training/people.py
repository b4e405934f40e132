"""Names of people, streets' names and towns, from the lists of Faker (MIT), parted so that no split knows another's.

A part is chosen by a checksum of the name itself: a name is never in two parts, and another version of the lists moves
none of the names they share.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import importlib
import re
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

_LOCALES = (
    "en_US en_GB en_IN en_IE en_NZ en_PK en_NG en_KE es_ES es_MX fr_FR de_DE it_IT pt_BR pl_PL nl_NL yo_NG tr_TR ro_RO"
    " sv_SE vi_VN zu_ZA ha_NG ig_NG tw_GH id_ID sw"
).split()
_FAMILIAR = ("en_US", "en_GB")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z'-]+")
_PART: dict[int, Split] = {0: "test", 1: "test", 2: "dev"}
_PARTS = 10


@dataclass(frozen=True, slots=True)
class People:
    """Lower-case names of one split. ``familiar_*`` are those of British and American lists."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    familiar_first: tuple[str, ...]
    familiar_last: tuple[str, ...]


@cache
def people(split: Split) -> People:
    """The names of ``split``. Needs Faker."""
    return People(
        _of(split, "first", tuple(_LOCALES)),
        _of(split, "last", tuple(_LOCALES)),
        _of(split, "first", _FAMILIAR),
        _of(split, "last", _FAMILIAR),
    )


@cache
def first_names() -> frozenset[str]:
    """Every first name of every list, of all splits. Needs Faker."""
    return frozenset(name for split in SPLITS for name in people(split).first)


def part_of(name: str) -> Split:
    """The split that ``name`` belongs to: two tenths are for testing, one for development."""
    return _PART.get(zlib.crc32(name.encode()) % _PARTS, "train")


def _of(split: Split, kind: str, locales: tuple[str, ...]) -> tuple[str, ...]:
    names: set[str] = set()
    for locale in locales:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for attribute in dir(provider):
            if attribute.endswith((f"{kind}_names", f"{kind}_names_female", f"{kind}_names_male")):
                names.update(name.lower() for name in getattr(provider, attribute) if _PLAIN.fullmatch(name))
    return tuple(sorted(name for name in names if part_of(name) == split))
