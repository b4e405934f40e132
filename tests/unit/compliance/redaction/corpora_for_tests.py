"""Made-up corpora in the shape of those that the finder is trained on and judged by."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NAMES = (
    "marta kowalczyk", "jorge benitez", "femi okafor", "susan bray", "rolande brill", "tuyet winemiller", "isiah stone",
    "bela horvath", "chloe marsh", "dewi pritchard", "esme quayle", "gita raman", "hugo lindqvist", "ivy thistlewood",
    "juno castellane", "kofi mensah", "lena sorensen", "milo van dyke", "nadia karim", "otis fairweather",
)  # fmt: skip
REQUESTS = (
    "where is my parcel",
    "i lost my card",
    "book a table for four",
    "what is the fee",
    "is it open on monday",
)


def write_corpora(folder: Path) -> Path:
    """A folder ``redaction`` with every corpus, and ``tool_need`` beside it; returns the former."""
    data = folder / "redaction"
    data.mkdir(parents=True)
    named = [("the booking is under {}", "last_name"), ("my name is {} thanks", "last_name")]
    _write(data / "restaurant8k_train.jsonl", [*_named(named), *_plain("restaurant", requested=[])])
    banking = [*_named([("send it to {}", "person_name")]), *_mislabelled(), *_plain("bank")]
    _write(data / "nlupp_banking.jsonl", banking)
    _write(
        data / "slurp_devel.jsonl",
        [*_named([("call {} now", "person")]), *_plain("assistant")],
    )
    _write(data / "banking77_train.jsonl", _plain("account"))
    _write(data / "evi_en.jsonl", _answers())
    (folder / "tool_need").mkdir()
    with gzip.open(folder / "tool_need" / "clinc150.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"u": f"{text} {n}"}) + "\n" for n in range(20) for text in REQUESTS)
    return data


def _named(patterns: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    rows = []
    for pattern, label in patterns:
        for name in NAMES:
            start = pattern.index("{}")
            spans = [{"label": label, "start": start, "end": start + len(name)}]
            rows.append({"text": pattern.format(name), "requested": [], "spans": spans})
    return rows


def _mislabelled() -> list[dict[str, Any]]:
    """Labels that nobody finds, some in every part: who is named decides which part a row is in."""
    words = ("it", "this", "that", "here", "there", "now", "then", "soon", "both", "each")
    return [
        {
            "text": f"{word} is what it said",
            "requested": [],
            "spans": [{"label": "person_name", "start": 0, "end": len(word)}],
        }
        for word in words
    ]


def _plain(what: str, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"{text} {what} {n}", "spans": [], **more} for n in range(10) for text in REQUESTS]


def _answers() -> list[dict[str, Any]]:
    said = {"name": "it's {}", "postcode": "g 2 6 5 w b", "dob": "the 4th of april 1996"}
    return [
        {
            "dialogue": name,
            "turn": 0,
            "asked": asked,
            "attempt": 0,
            "text": text.format(name),
            "truth": {"name": name},
        }
        for name in NAMES
        for asked, text in said.items()
    ]


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
