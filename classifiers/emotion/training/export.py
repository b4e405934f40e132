"""Front end and linear classifier -> one ONNX graph from raw ``input_values`` to ``logits``, and its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifiers.emotion.training.frontend import HOP_SAMPLES, POWER_FLOOR, dft_kernels, mel_filters
from classifiers.emotion.training.linear import Linear
from classifiers.emotion.training.statistics import (
    BAND_LAGS,
    CHANGE_FLOOR,
    GROUP_LAGS,
    VARIANCE_FLOOR,
    band_groups,
)

OPSET = 17
IR_VERSION = 9


class _Graph:
    """Nodes and constants so far. Every method adds one step and returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[np.generic]] = {}

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants[name] = value
        return name

    def step(self, operator: str, *inputs: str, into: str = "", **attributes: Any) -> str:
        name = into or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def log_mel(self, wave: str) -> str:
        """``[batch, samples]`` -> ``[batch, bands, frames]``, as ``frontend.log_mel`` (which has frames first)."""
        kernels = dft_kernels()
        half = len(kernels) // 2
        self.step("Unsqueeze", wave, self.constant("channel", np.array([1])), into="wave")
        self.step(
            "Conv", "wave", self.constant("dft", kernels[:, None, :]), into="spectrum", strides=[HOP_SAMPLES]
        )
        halves = self.constant("halves", np.array([half, half]))
        self.nodes.append(helper.make_node("Split", ["spectrum", halves], ["cosine", "sine"], axis=1))
        power = self.step("Add", self.step("Mul", "cosine", "cosine"), self.step("Mul", "sine", "sine"))
        mel = self.step("MatMul", self.constant("mel", mel_filters()), power)
        logs = self.step("Log", self._above(mel, "power_floor", POWER_FLOOR))
        level = self.step("ReduceMean", logs, axes=[1, 2], keepdims=1)
        return self.step("Sub", logs, level, into="log_mel")

    def statistics(self, features: str) -> str:
        """``[batch, bands, frames]`` -> ``[batch, statistics]``, as ``statistics.statistics``."""
        mean = self.step("ReduceMean", features, axes=[2], keepdims=1)
        variance = self._mean_square(self.step("Sub", features, mean))
        spread = self.step("Sqrt", self._above(variance, "variance_floor", VARIANCE_FLOOR))
        grouped = self.step("MatMul", self.constant("groups", band_groups()), features)
        changes = [
            *(self._change(features, lag) for lag in BAND_LAGS),
            *(self._change(grouped, lag) for lag in GROUP_LAGS),
        ]
        return self.step("Concat", self.step("Flatten", mean), spread, *changes, axis=1)

    def _change(self, features: str, lag: int) -> str:
        time = self.constant("time", np.array([2]))
        first, last = self.constant("first", np.array([0])), self.constant("last", np.array([2**31]))
        back = self.constant(f"minus_{lag}", np.array([-lag]))
        ahead = self.constant(f"plus_{lag}", np.array([lag]))
        earlier = self.step("Slice", features, first, back, time)
        later = self.step("Slice", features, ahead, last, time)
        square = self._mean_square(self.step("Sub", later, earlier))
        return self.step("Log", self._above(square, "change_floor", CHANGE_FLOOR))

    def _mean_square(self, name: str) -> str:
        return self.step("ReduceMean", self.step("Mul", name, name), axes=[2], keepdims=0)

    def _above(self, name: str, floor: str, value: float) -> str:
        return self.step("Add", name, self.constant(floor, np.array([value], dtype=np.float32)))


def graph(model: Linear) -> onnx.ModelProto:
    """``input_values [batch, samples]`` at unit variance -> ``logits [batch, labels]``."""
    build = _Graph()
    statistics = build.statistics(build.log_mel("input_values"))
    weight, bias = build.constant("weight", model.weight), build.constant("bias", model.bias)
    build.step("Gemm", statistics, weight, bias, into="logits")
    built = helper.make_model(
        helper.make_graph(
            build.nodes,
            "patchbay_emotion",
            [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(model.bias)])],
            [
                numpy_helper.from_array(np.ascontiguousarray(value), name)
                for name, value in build.constants.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="patchbay",
    )
    onnx.checker.check_model(built, full_check=True)
    return built


def write_folder(out: Path, model: Linear, labels: tuple[str, ...], patchbay: dict[str, object]) -> None:
    """Write ``model.onnx``, ``config.json`` and ``preprocessor_config.json``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(graph(model).SerializeToString())
    _write_json(
        out / "config.json",
        {
            # AutoConfig wants a type it knows; this one takes raw input_values, as the graph does.
            "model_type": "wav2vec2",
            "id2label": {str(i): label for i, label in enumerate(labels)},
            "label2id": {label: i for i, label in enumerate(labels)},
            "patchbay": patchbay,
        },
    )
    _write_json(
        out / "preprocessor_config.json",
        {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "do_normalize": True,
            "feature_size": 1,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": False,
            "sampling_rate": 16000,
        },
    )


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
