"""A tool-need model on disk: two files of readable JSON that say what was learnt, and from what."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from classifiers.errors import ClassifierError
from classifiers.tool_need.features import CROSSED, Key

MODEL_TYPE = "patchbay-tool-need"
VERSION = 2
_APART = {"stages": " & "}
_SINGLE = frozenset({"word", "asked", "stage", "before", "tools"})


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a model was trained on.

    Attributes:
        sources: turns by source.
        base: the fingerprint of the model it started from; empty for a general one.
    """

    sources: Mapping[str, int] = field(default_factory=dict)
    base: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a folder holds."""

    weights: Mapping[str, Mapping[Key, float]]
    bias: float
    base_rate: float
    provenance: Provenance


def name_of(block: str, key: Key) -> str:
    """A feature's name within its block, as written."""
    return key if isinstance(key, str) else _APART.get(block, " ").join(key)


def read(path: Path) -> Content:
    """Read ``config.json`` and ``weights.json``.

    Raises:
        ClassifierError: says which file is missing or wrong.
    """
    config, weights = _object(path, "config.json"), _object(path, "weights.json")
    settings, table = path / "config.json", path / "weights.json"
    if config.get("model_type") != MODEL_TYPE:
        raise ClassifierError(settings, f"model_type is {config.get('model_type')!r}", f"want {MODEL_TYPE!r}")
    if config.get("version") != VERSION:
        raise ClassifierError(
            settings, f"version is {config.get('version')!r}, this program reads {VERSION}", "train it again"
        )
    for name in ("bias", "base_rate"):
        if not _is_number(config.get(name)):
            raise ClassifierError(settings, f"{name} is {config.get(name)!r}", "it must be a number")
    found: dict[str, dict[Key, float]] = {}
    for block, named in weights.items():
        if not isinstance(named, dict):
            raise ClassifierError(table, f"{block!r} holds no weights by name", "train it again")
        for name, value in named.items():
            if not _is_number(value):
                raise ClassifierError(table, f"{name!r} weighs {value!r}", "every weight is a number")
            if block in CROSSED and len(_key(block, name)) != 2:
                raise ClassifierError(table, f"{name!r} in {block!r} is not two things", "train it again")
        found[block] = {_key(block, name): float(value) for name, value in named.items()}
    return Content(
        found,
        float(config["bias"]),
        min(max(float(config["base_rate"]), 0.0), 1.0),
        _provenance(settings, config.get("provenance", {})),
    )


def write(path: Path, content: Content) -> None:
    """Write both files."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": MODEL_TYPE,
        "version": VERSION,
        "bias": content.bias,
        "base_rate": content.base_rate,
        "provenance": asdict(content.provenance),
    }
    (path / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (path / "weights.json").write_text(_table(content.weights), encoding="utf-8")


def fingerprint(weights: Mapping[str, Mapping[Key, float]], bias: float) -> str:
    """The first 16 hex digits of the SHA-256 of what a model computes with."""
    return hashlib.sha256(f"{_table(weights)}{bias!r}".encode()).hexdigest()[:16]


def _table(weights: Mapping[str, Mapping[Key, float]]) -> str:
    named = {block: {name_of(block, key): w for key, w in known.items()} for block, known in weights.items()}
    return json.dumps(named, indent=0, separators=(",", ":"), ensure_ascii=True, sort_keys=True) + "\n"


def _key(block: str, name: str) -> Key:
    return name if block in _SINGLE else tuple(name.split(_APART.get(block, " ")))


def _provenance(path: Path, stated: Any) -> Provenance:
    sources = stated.get("sources", {}) if isinstance(stated, dict) else None
    if not isinstance(sources, dict) or not all(isinstance(count, int) for count in sources.values()):
        raise ClassifierError(
            path, "provenance does not say how many turns of which source", "train it again"
        )
    return Provenance(sources, str(stated.get("base", "")))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _object(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise ClassifierError(folder, f"has no {name}", "train one with patchbay train tool-need")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as broken:
        raise ClassifierError(path, f"is no JSON ({broken})", "train it again") from broken
    if not isinstance(content, dict):
        raise ClassifierError(path, "holds no JSON object", "train it again")
    return content
