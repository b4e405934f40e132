"""Make the tiny randomly initialised exports in ``exports/`` again: ``python tests/unit/classifiers/make_exports.py``.

They have the inputs and outputs of Hugging Face audio classifiers and a few random weights, so that the tests can
load other architectures without torch and without the training extra.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent / "exports"
RNG = np.random.default_rng(0)


def _write(
    name: str, graph: onnx.GraphProto, config: dict[str, object], extractor: dict[str, object]
) -> None:
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor, indent=2) + "\n", encoding="utf-8")


def _random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def whisper() -> None:
    """``input_features [batch, 80, frames]`` -> ``logits``: mean over time, then a linear layer."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input_features"], ["mean"], axes=[2], keepdims=0),
            helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
        ],
        "whisper",
        [helper.make_tensor_value_info("input_features", TensorProto.FLOAT, ["batch", 80, "frames"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(_random(80, 3), "weight")],
    )
    _write(
        "whisper",
        graph,
        {"model_type": "whisper", "id2label": {"0": "neutral", "1": "anger", "2": "joy"}},
        {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "chunk_length": 3},
    )


def hubert() -> None:
    """``input_values`` and an int64 ``attention_mask`` -> ``logits``: masked mean of absolute values."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Abs", ["input_values"], ["level"]),
            helper.make_node("Mul", ["level", "mask"], ["heard"]),
            helper.make_node("ReduceMean", ["heard"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
        ],
        "hubert",
        [
            helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "samples"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(_random(1, 4), "weight")],
    )
    _write(
        "hubert",
        graph,
        {
            "model_type": "hubert",
            "id2label": {"0": "neu", "1": "hap", "2": "ang", "3": "sad"},
            "patchbay": {"window_s": 2.0, "temperature": 1.5},
        },
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 16000},
    )


if __name__ == "__main__":
    whisper()
    hubert()
