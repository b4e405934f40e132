"""Front end and linear classifier -> one ONNX graph from raw ``input_values`` to ``logits``, and its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifiers.emotion.training.frontend import HOP_SAMPLES, POWER_FLOOR, dft_kernels, mel_filters
from classifiers.emotion.training.linear import VARIANCE_FLOOR, Linear

OPSET = 17
IR_VERSION = 9


def graph(model: Linear) -> onnx.ModelProto:
    """``input_values [batch, samples]`` at unit variance -> ``logits [batch, labels]``."""
    kernels = dft_kernels()
    half = len(kernels) // 2
    constants: dict[str, NDArray[np.generic]] = {
        "dft": kernels[:, None, :],
        "mel": mel_filters(),
        "power_floor": np.float32(POWER_FLOOR).reshape(1),
        "variance_floor": np.float32(VARIANCE_FLOOR).reshape(1),
        "halves": np.array([half, half], dtype=np.int64),
        "channel": np.array([1], dtype=np.int64),
        "weight": model.weight,
        "bias": model.bias,
    }
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["input_values", "channel"], ["wave"]),
        node("Conv", ["wave", "dft"], ["spectrum"], strides=[HOP_SAMPLES]),
        node("Split", ["spectrum", "halves"], ["cosine", "sine"], axis=1),
        node("Mul", ["cosine", "cosine"], ["cosine2"]),
        node("Mul", ["sine", "sine"], ["sine2"]),
        node("Add", ["cosine2", "sine2"], ["power"]),
        node("MatMul", ["mel", "power"], ["mel_power"]),
        node("Add", ["mel_power", "power_floor"], ["mel_floored"]),
        node("Log", ["mel_floored"], ["log_mel"]),
        node("ReduceMean", ["log_mel"], ["level"], axes=[1, 2], keepdims=1),
        node("Sub", ["log_mel", "level"], ["features"]),
        node("ReduceMean", ["features"], ["mean"], axes=[2], keepdims=1),
        node("Sub", ["features", "mean"], ["deviation"]),
        node("Mul", ["deviation", "deviation"], ["deviation2"]),
        node("ReduceMean", ["deviation2"], ["variance"], axes=[2], keepdims=0),
        node("Add", ["variance", "variance_floor"], ["variance_floored"]),
        node("Sqrt", ["variance_floored"], ["std"]),
        node("Flatten", ["mean"], ["flat_mean"]),
        node("Concat", ["flat_mean", "std"], ["statistics"], axis=1),
        node("Gemm", ["statistics", "weight", "bias"], ["logits"]),
    ]
    built = helper.make_model(
        helper.make_graph(
            nodes,
            "patchbay_emotion",
            [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(model.bias)])],
            [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
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
