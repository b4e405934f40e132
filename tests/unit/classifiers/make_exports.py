# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.15.0", "transformers==5.23.0", "onnx==1.23.2", "onnxscript==0.7.2", "numpy"]
# ///
"""Make the exports in ``exports/`` again: ``uv run --script tests/unit/classifiers/make_exports.py``.

Hugging Face audio classifiers of four architectures, tiny and randomly initialised, exported by ``torch.onnx``; their
configurations are as ``save_pretrained`` writes them, plus a ``"patchbay"`` section where the labels are not telling.
``expected.json`` holds the logits that PyTorch gave for :func:`waveforms`. The tests need neither PyTorch (with its
gigabytes of CUDA) nor ``onnx``, so they read what this script once wrote.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXPORTS = Path(__file__).parent / "exports"
SAMPLE_RATE_HZ = 16_000
PATCHBAY: dict[str, dict[str, object]] = {
    "wav2vec2": {"upset_labels": ["LABEL_2"]},
    "hubert": {"window_s": 2.0, "temperature": 1.5},
}
"""Settings beside the export; WavLM and Whisper have labels that tell and get none."""


def waveforms(seconds: float) -> dict[str, NDArray[np.float32]]:
    """A buzz that rises and swells, and a chirp; mono at 16 kHz."""
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    harmonics = [np.sin(2 * np.pi * k * (120 * t + 20 * t**2)) / k for k in range(1, 12)]
    buzz = 0.1 * np.sum(harmonics, axis=0) * (1 + np.sin(2 * np.pi * 3 * t))
    chirp = 0.3 * np.sin(2 * np.pi * (200 * t + 600 * t**2))
    return {"buzz": buzz.astype(np.float32), "chirp": chirp.astype(np.float32)}


def main() -> None:
    import torch

    torch.manual_seed(0)
    expected: dict[str, dict[str, list[float]]] = {}
    for name, (model, extractor) in _models().items():
        patchbay = PATCHBAY.get(name, {})
        folder = EXPORTS / name
        model.eval().config.save_pretrained(folder)
        extractor.save_pretrained(folder)
        if patchbay:
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "patchbay": patchbay}, indent=2) + "\n")
        seconds = patchbay.get("window_s", 3.0)
        assert isinstance(seconds, float)
        expected[name] = {}
        for sound, wave in waveforms(seconds).items():
            features = dict(extractor(wave, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt"))
            with torch.no_grad():
                expected[name][sound] = model(**features).logits[0].tolist()
        _export(model, features, folder / "model.onnx")
    (EXPORTS / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def _models() -> dict[str, Any]:
    import transformers as hf

    small: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "conv_dim": (8,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "classifier_proj_size": 16,
        "initializer_range": 0.5,  # random, but logits that differ
    }
    large = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
    whisper = hf.WhisperConfig(
        d_model=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        classifier_proj_size=16,
        init_std=0.5,
        **_labels("neutral", "anger", "joy"),
    )
    hubert = hf.HubertConfig(**small, **large, **_labels("neu", "hap", "ang", "sad"))
    wavlm = hf.WavLMConfig(**small, **_labels("calm", "angry"))
    return {
        # The base model was taught without an attention mask, the large one with it.
        "wav2vec2": (
            hf.Wav2Vec2ForSequenceClassification(hf.Wav2Vec2Config(**small, num_labels=4)),
            hf.Wav2Vec2FeatureExtractor(return_attention_mask=False),
        ),
        "hubert": (
            hf.HubertForSequenceClassification(hubert),
            hf.Wav2Vec2FeatureExtractor(return_attention_mask=True),
        ),
        "wavlm": (
            hf.WavLMForSequenceClassification(wavlm),
            hf.Wav2Vec2FeatureExtractor(return_attention_mask=False),
        ),
        "whisper": (hf.WhisperForAudioClassification(whisper), hf.WhisperFeatureExtractor()),
    }


def _labels(*labels: str) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def _export(model: Any, features: dict[str, Any], path: Path) -> None:
    import onnx
    import torch

    class Logits(torch.nn.Module):
        """The model with its outputs narrowed to the logits."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.model(**dict(zip(features, inputs, strict=True))).logits  # type: ignore[no-any-return]

    # Whisper's features always cover 30 s; samples may be as many as there are.
    samples = {} if "input_features" in features else {1: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        Logits().eval(),
        tuple(features.values()),
        input_names=list(features),
        output_names=["logits"],
        dynamic_shapes=(tuple({0: torch.export.Dim.DYNAMIC, **samples} for _ in features),),
        dynamo=True,
    )
    graph = program.model_proto
    for node in graph.graph.node:
        node.ClearField("metadata_props")  # where in the Python source it came from: most of a small file
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        value.ClearField("metadata_props")
    onnx.save_model(graph, path)


if __name__ == "__main__":
    main()
