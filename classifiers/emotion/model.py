"""One window of a caller's voice -> how likely each emotion is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from classifiers.emotion.folder import SAMPLE_RATE_HZ, ModelFolder, Settings, read_folder
from classifiers.errors import ClassifierError
from classifiers.measures import softmax

Floats = NDArray[np.float32]

SHIPPED = Path(__file__).parent / "model"
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_LOGITS = ("tensor(float)", "tensor(double)", "tensor(float16)")


@dataclass(frozen=True, slots=True)
class EmotionScores:
    """What the model made of one window.

    Attributes:
        probabilities: calibrated, by label; they sum to 1.
        upset: the probability that the caller is audibly upset, 0 to 1.
        confidence: the probability that calling it upset or not upset, whichever is likelier, is right: .5 to 1.
    """

    probabilities: Mapping[str, float]
    upset: float
    confidence: float


class EmotionModel:
    """An audio classifier from a Hugging Face style folder, run by ONNX Runtime on one thread.

    Calls are synchronous and the object keeps no state between them: share one among calls and worker threads.
    """

    def __init__(self, folder: ModelFolder, session: ort.InferenceSession) -> None:
        self._folder = folder
        self._session = session
        self._inputs = {node.name: _DTYPES.get(node.type, np.float32) for node in session.get_inputs()}
        self._upset = [folder.labels.index(label) for label in folder.settings.upset_labels]

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Self:
        """Load the folder and run it once, so that what is wrong with it shows now and not in a call.

        Raises:
            ClassifierError: says which file is wrong and what it must hold.
        """
        read = read_folder(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised below
        try:
            session = ort.InferenceSession(
                str(read.onnx),
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it would try the same again, and print
            )
        except Exception as broken:  # ONNX Runtime has an exception class per status code and no common base
            raise ClassifierError(
                read.onnx, f"is no ONNX model that can be run ({_summary(broken)})", "export it again"
            ) from broken
        outputs = {node.name: node.type for node in session.get_outputs()}
        if outputs.get("logits") not in _LOGITS:
            named = ", ".join(f"{name} ({kind})" for name, kind in outputs.items())
            raise ClassifierError(
                read.onnx, f"has the outputs {named}", "name the [batch, labels] output of floats 'logits'"
            )
        model = cls(read, session)
        length = round(read.settings.window_s * SAMPLE_RATE_HZ)
        noise = np.random.default_rng(0).standard_normal(length).astype(np.float32)
        for sound in (0.01 * noise, 0 * noise, np.sign(noise)):  # quiet, silent and clipped throughout
            model.classify(sound)
        return model

    @property
    def labels(self) -> tuple[str, ...]:
        return self._folder.labels

    @property
    def settings(self) -> Settings:
        return self._folder.settings

    def classify(self, samples: Floats) -> EmotionScores:
        """Judge mono float audio at 16 kHz in -1 to 1: the last ``settings.window_s`` of it, repeated if shorter.

        Raises:
            ClassifierError: no audio, or the graph does not take what the feature extractor gives.
        """
        logits = self.logits(samples)
        probabilities = softmax(logits.astype(np.float64), self.settings.temperature)
        upset = float(probabilities[self._upset].sum())
        return EmotionScores(
            MappingProxyType(dict(zip(self.labels, probabilities.tolist(), strict=True))),
            upset,
            max(upset, 1 - upset),
        )

    def logits(self, samples: Floats) -> Floats:
        """The raw ``[labels]`` output for one window. Samples that are not finite count as silence."""
        if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
            given = f"was given {samples.dtype} of the shape {list(samples.shape)}"
            raise ClassifierError(self._folder.path, given, "give mono floats as [samples]")
        if not len(samples):
            raise ClassifierError(self._folder.path, "was given no audio", "give at least one sample")
        length = round(self.settings.window_s * SAMPLE_RATE_HZ)
        finite = np.nan_to_num(samples[-length:], nan=0.0, posinf=0.0, neginf=0.0)
        window = np.resize(np.clip(finite, -1, 1), length)
        try:
            [logits] = self._session.run(["logits"], self._features(window))
        except Exception as refused:
            raise ClassifierError(
                self._folder.onnx,
                f"does not accept what preprocessor_config.json makes of audio ({_summary(refused)})",
                self._remedy(),
            ) from refused
        if logits.shape != (1, len(self.labels)):
            raise ClassifierError(
                self._folder.onnx,
                f"logits have the shape {list(logits.shape)}",
                f"id2label in config.json asks for [1, {len(self.labels)}]",
            )
        if not np.isfinite(logits).all():
            raise ClassifierError(self._folder.onnx, "gives logits that are no numbers", "export it again")
        return np.asarray(logits[0], dtype=np.float32)

    def _remedy(self) -> str:
        """For a graph that refuses its input: it may have been exported for windows of one length."""
        for node in self._session.get_inputs():
            fixed = node.shape[-1] if node.name == "input_values" and node.shape else None
            if isinstance(fixed, int) and fixed != round(self.settings.window_s * SAMPLE_RATE_HZ):
                return f'it hears {fixed} samples: set "patchbay": {{"window_s": {fixed / SAMPLE_RATE_HZ:g}}}'
        return "export the model together with its own feature extractor"

    def _features(self, window: Floats) -> dict[str, NDArray[Any]]:
        """The extractor's output, as far as the graph asks for it: some exports take an attention mask."""
        extracted = self._folder.extractor(
            window,
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="np",
            return_attention_mask="attention_mask" in self._inputs,
        )
        return {name: extracted[name].astype(dtype) for name, dtype in self._inputs.items()}


def _summary(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
