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


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``"patchbay"`` section of ``config.json``.

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
    for name, remedy in (
        ("config.json", "export the model with its configuration"),
        ("preprocessor_config.json", "save the feature extractor beside the model"),
        ("model.onnx", "export the model to ONNX (input_values or input_features to logits)"),
    ):
        if not (path / name).is_file():
            raise ClassifierError(path, f"has no {name}", remedy)
    config, extractor = _load_with_transformers(path)
    labels = tuple(config.id2label[i] for i in sorted(config.id2label))
    if getattr(config, "problem_type", None) == "multi_label_classification":
        raise ClassifierError(path / "config.json", "is a multi-label model", "use one with exclusive labels")
    rate = getattr(extractor, "sampling_rate", None)
    if rate != SAMPLE_RATE_HZ:
        raise ClassifierError(
            path / "preprocessor_config.json", f"sampling_rate is {rate}", f"it must be {SAMPLE_RATE_HZ}"
        )
    settings = _settings(path / "config.json", getattr(config, "patchbay", {}), labels)
    return ModelFolder(path, labels, settings, extractor)


def _load_with_transformers(path: Path) -> tuple[Any, Any]:
    # transformers advises at import to install torch, which this program has no use for.
    logging.getLogger("transformers").addFilter(_not_about_torch)
    from transformers import AutoConfig, AutoFeatureExtractor  # two seconds, so only when a model is loaded

    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    except Exception as broken:  # transformers raises whatever its parsers raise
        raise ClassifierError(
            path / "config.json",
            f"cannot be read ({_first_line(broken)})",
            "it needs JSON and a known model_type",
        ) from broken
    try:
        extractor = AutoFeatureExtractor.from_pretrained(path, local_files_only=True)  # type: ignore[no-untyped-call]
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
    for name, value in values.items():
        if name != "upset_labels" and (
            isinstance(value, bool) or not isinstance(value, int | float) or not value > 0
        ):
            raise ClassifierError(file, f"patchbay.{name} is {value!r}", "it must be a number above 0")
    upset = values.get("upset_labels") or [label for label in labels if label.lower() in UPSET_WORDS]
    if not isinstance(upset, list) or any(label not in labels for label in upset):
        raise ClassifierError(file, f"patchbay.upset_labels is {upset!r}", f"choose from {', '.join(labels)}")
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
