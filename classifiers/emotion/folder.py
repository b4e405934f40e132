"""What stands in a model folder: a Hugging Face audio classifier exported to ONNX, and our few settings beside it.

``config.json`` is read by ``transformers.AutoConfig`` and ``preprocessor_config.json`` by ``AutoFeatureExtractor``,
both offline and without torch, so an export of wav2vec 2.0, HuBERT, WavLM or Whisper for audio classification works
as it is. What such an export does not say stands under ``"patchbay"`` in ``config.json``; every key has a default.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from classifiers.errors import ClassifierError

SAMPLE_RATE_HZ = 16_000
UPSET_WORDS = frozenset({"angry", "anger", "ang", "annoyed", "frustrated", "frustration", "upset"})
EXCLUSIVE = (None, "single_label_classification")  # problem_type: one label, so softmax
LONGEST_S = 30.0  # what Whisper hears at once; more is a mistake that would cost the memory of the host


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``"patchbay"`` section of ``config.json``; :data:`BOUNDS` says what its numbers may be.

    Attributes:
        window_s: length of audio the model hears at once; shorter audio is repeated to this length.
        hop_s: how much new speech makes a new window.
        temperature: logits are divided by it, so that probabilities mean what they say.
        upset_labels: labels whose probabilities add up to "upset". Empty: those with a telling name.
        upset_at: at this probability or above a turn reads "upset".
        confident_at: below this confidence a turn reads "unknown".
        min_voice_s: less speech than this in a turn reads "unknown".
        min_windows: fewer windows than this read "unknown"; a single short one often scores high.
    """

    window_s: float = 3.0
    hop_s: float = 0.5
    temperature: float = 1.0
    upset_labels: tuple[str, ...] = ()
    upset_at: float = 0.5
    confident_at: float = 0.6
    min_voice_s: float = 1.0
    min_windows: int = 2


BOUNDS = {
    "window_s": (0.25, LONGEST_S),
    "hop_s": (0.1, LONGEST_S),
    "temperature": (0.01, 100.0),
    "upset_at": (0.01, 0.99),
    "confident_at": (0.5, 1.0),
    "min_voice_s": (0.1, LONGEST_S),
    "min_windows": (1, 100),
}
"""The least and the greatest value of every number in :class:`Settings`."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder that was read: its labels in the order of the logits, settings and feature extractor."""

    path: Path
    labels: tuple[str, ...]
    settings: Settings
    extractor: Any  # transformers.SequenceFeatureExtractor; the package carries no usable types

    @property
    def onnx(self) -> Path:
        return self.path / "model.onnx"


def read_folder(path: Path) -> ModelFolder:
    """Read and check everything but the graph.

    Raises:
        ClassifierError: a file is missing or malformed, or the labels name no upset emotion.
    """
    _check_files(path)
    config, extractor = _load_with_transformers(path)
    labels = _labels(path / "config.json", config)
    rate = getattr(extractor, "sampling_rate", None)
    if rate != SAMPLE_RATE_HZ:
        raise ClassifierError(
            path / "preprocessor_config.json", f"sampling_rate is {rate}", f"it must be {SAMPLE_RATE_HZ}"
        )
    padded = getattr(extractor, "n_samples", 0)  # Whisper fills every window up to this
    if not isinstance(padded, int) or padded > LONGEST_S * SAMPLE_RATE_HZ:
        raise ClassifierError(
            path / "preprocessor_config.json",
            f"n_samples is {padded}",
            f"it may be {LONGEST_S * SAMPLE_RATE_HZ:.0f} (a chunk_length of {LONGEST_S:.0f}) at most",
        )
    settings = _settings(path / "config.json", getattr(config, "patchbay", {}), labels)
    return ModelFolder(path, labels, settings, extractor)


def _check_files(path: Path) -> None:
    try:
        if not path.is_dir():
            raise ClassifierError(path, "is no folder", "name the folder that holds config.json")
        for name, remedy in (
            ("config.json", "export the model with its configuration"),
            ("preprocessor_config.json", "save the feature extractor beside the model"),
            ("model.onnx", "export the model to ONNX (input_values or input_features to logits)"),
        ):
            if not (path / name).is_file():
                raise ClassifierError(path, f"has no {name}", remedy)
    except OSError as closed:
        raise ClassifierError(
            path, f"cannot be read ({closed.strerror})", "let the service's user read it"
        ) from closed


def _labels(file: Path, config: Any) -> tuple[str, ...]:
    """The labels in the order of the logits."""
    problem = getattr(config, "problem_type", None)
    if problem not in EXCLUSIVE:
        raise ClassifierError(file, f"problem_type is {problem!r}", "use a model with exclusive labels")
    named = config.id2label
    labels = tuple(named[i] for i in sorted(named))
    if sorted(named) != list(range(len(labels))) or not all(isinstance(label, str) for label in labels):
        raise ClassifierError(file, f"id2label is {named!r}", "number the labels from 0 without a gap")
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ClassifierError(file, f"id2label names {', '.join(labels)}", "two or more labels must differ")
    return labels


def _load_with_transformers(path: Path) -> tuple[Any, Any]:
    # transformers advises at import to install torch, which this program has no use for.
    logging.getLogger("transformers").addFilter(_not_about_torch)
    from transformers import AutoConfig, AutoFeatureExtractor  # two seconds, so only when a model is loaded

    # Without trust_remote_code=False a folder that names code of its own makes transformers ask on standard input.
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as broken:  # transformers raises whatever its parsers raise
        raise ClassifierError(
            path / "config.json",
            f"cannot be read ({_first_line(broken)})",
            "it needs JSON and a known model_type",
        ) from broken
    try:
        extractor = AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]
            path, local_files_only=True, trust_remote_code=False
        )
    except Exception as broken:
        raise ClassifierError(
            path / "preprocessor_config.json",
            f"cannot be read ({_first_line(broken)})",
            "it needs JSON and a feature_extractor_type that works without torch",
        ) from broken
    return config, extractor


def _settings(file: Path, values: Any, labels: tuple[str, ...]) -> Settings:
    if not isinstance(values, Mapping):
        raise ClassifierError(file, f"patchbay is {values!r}", "it must be an object with settings")
    known = [field.name for field in fields(Settings)]
    if unknown := sorted(set(values) - set(known)):
        raise ClassifierError(
            file, f"unknown patchbay setting {unknown[0]!r}", f"known are {', '.join(known)}"
        )
    for name, (least, most) in BOUNDS.items():
        value = values.get(name, least)
        number = int if name == "min_windows" else (int, float)
        if isinstance(value, bool) or not isinstance(value, number) or not least <= value <= most:
            kind = "whole number" if number is int else "number"
            raise ClassifierError(
                file, f"patchbay.{name} is {value!r}", f"it must be a {kind} from {least:g} to {most:g}"
            )
    upset = values.get("upset_labels") or [label for label in labels if label.lower() in UPSET_WORDS]
    if (
        not isinstance(upset, list)
        or any(label not in labels for label in upset)
        or len(set(upset)) < len(upset)
        or len(upset) == len(labels)
    ):
        raise ClassifierError(
            file, f"patchbay.upset_labels is {upset!r}", f"choose some, not all, from {', '.join(labels)}"
        )
    if not upset:
        raise ClassifierError(
            file,
            f"none of the labels {', '.join(labels)} is known to mean upset",
            'name them: "patchbay": {"upset_labels": [...]}',
        )
    return Settings(**{**values, "upset_labels": tuple(upset)})


def _not_about_torch(record: logging.LogRecord) -> bool:
    return "PyTorch was not found" not in record.getMessage()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
