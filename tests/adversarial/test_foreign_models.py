"""Model folders that are broken, foreign or hostile: they load and answer, or are refused in one clear sentence."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from classifiers import ClassifierError, EmotionModel
from tests.one_fixture import SHARED
from tests.unit.classifiers.make_exports import EXPORTS, waveforms

pytestmark = pytest.mark.adversarial

SOUND = waveforms(1.0)["buzz"]
GRAPH = (EXPORTS / "wav2vec2" / "model.onnx").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a genuine export, to be broken."""
    return shutil.copytree(EXPORTS / "wav2vec2", tmp_path / "model")


def refused(folder: Path) -> str:
    """Why the folder is refused: in one line, with where, what and a remedy."""
    with pytest.raises(ClassifierError) as caught:
        EmotionModel.load(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    assert len(message) < 700
    assert caught.value.what
    assert caught.value.remedy
    return message.removeprefix(str(folder))


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def graph(
    *nodes: onnx.NodeProto,
    samples: str | int = "samples",
    kind: int = TensorProto.FLOAT,
    gives: int = TensorProto.FLOAT,
    weights: dict[str, np.ndarray] | None = None,
    opsets: tuple[onnx.OperatorSetIdProto, ...] = (),
) -> onnx.ModelProto:
    """``input_values [batch, samples]`` through ``nodes`` to ``logits``."""
    body = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("input_values", kind, ["batch", samples])],
        [helper.make_tensor_value_info("logits", gives, None)],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17), *opsets], ir_version=9)


def mean_times(weight: np.ndarray) -> dict[str, object]:
    """Nodes and weights of the smallest classifier: the mean of the samples times ``weight``."""
    return {
        "nodes": (
            helper.make_node("ReduceMean", ["input_values"], ["mean"], axes=[1]),
            helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
        ),
        "weights": {"weight": weight},
    }


def save(folder: Path, *, nodes: tuple[onnx.NodeProto, ...], **how: object) -> None:
    onnx.save_model(graph(*nodes, **how), folder / "model.onnx")  # type: ignore[arg-type]


FOUR = np.ones((1, 4), np.float32)


# --- folders


def test_a_path_that_leads_nowhere_is_no_folder(tmp_path: Path) -> None:
    assert "is no folder" in refused(tmp_path / "nothing")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(GRAPH)
    assert "is no folder" in refused(tmp_path / "model.onnx")


def test_a_loop_of_links_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(tmp_path / "there")
    (tmp_path / "there").symlink_to(tmp_path / "here")
    assert "is no folder" in refused(tmp_path / "here")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="cannot be read"):
        EmotionModel.load(tmp_path / ("long" * 100))
    with pytest.raises(ClassifierError, match="is no folder"):
        EmotionModel.load(Path(f"{tmp_path}/\0"))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.onnx"])
@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), file.symlink_to(file)),
        lambda file: (file.unlink(), file.symlink_to(file.with_name("gone"))),
    ],
    ids=["missing", "a folder", "a loop", "a dangling link"],
)
def test_what_is_no_file_is_missing(folder: Path, name: str, spoil: Callable[[Path], object]) -> None:
    spoil(folder / name)
    assert f"has no {name}" in refused(folder)


def test_a_folder_that_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)  # the superuser, who may run this, is denied nothing
    assert "cannot be read (Permission denied); let the service's user read it" in refused(folder)


def test_links_to_the_files_are_as_good_as_the_files(tmp_path: Path) -> None:
    for file in (EXPORTS / "wav2vec2").iterdir():
        (tmp_path / file.name).symlink_to(file)
    assert EmotionModel.load(tmp_path).labels == ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3")


# --- configuration


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe{}", b"[" * 100_000],
    ids=["empty", "cut", "null", "list", "text", "not UTF-8", "nested"],
)
def test_a_configuration_that_is_none_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert refused(folder).startswith(f"/{name}: ")


@given(st.integers(0, len(GRAPH)), st.sampled_from(["config.json", "preprocessor_config.json"]))
@settings(max_examples=30, deadline=None, suppress_health_check=SHARED)
def test_a_configuration_that_is_cut_off_is_named(folder: Path, at: int, name: str) -> None:
    whole = (EXPORTS / "wav2vec2" / name).read_bytes()
    (folder / name).write_bytes(whole[: at % (len(whole) - 2)])
    assert refused(folder).startswith(f"/{name}: ")
    (folder / name).write_bytes(whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)
KEYS = ["id2label", "problem_type", "model_type", "patchbay", "num_labels", "hidden_size", "conv_stride"]
SETTINGS = ["window_s", "hop_s", "temperature", "upset_labels", "upset_at", "min_voice_s", "min_windows"]


@given(st.sampled_from(KEYS), JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_any_value_in_the_configuration_loads_or_is_refused(folder: Path, key: str, value: object) -> None:
    config = json.loads((EXPORTS / "wav2vec2" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    loads_or_is_refused(folder)


@given(st.sampled_from(SETTINGS), JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_any_setting_loads_or_is_refused(folder: Path, name: str, value: object) -> None:
    config = json.loads((EXPORTS / "wav2vec2" / "config.json").read_text())
    config["patchbay"][name] = value
    (folder / "config.json").write_text(json.dumps(config))
    loads_or_is_refused(folder)


@given(
    st.sampled_from(["feature_size", "padding_value", "sampling_rate", "do_normalize", "padding_side"]), JSON
)
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_any_value_in_the_extractor_loads_or_is_refused(folder: Path, key: str, value: object) -> None:
    config = json.loads((EXPORTS / "wav2vec2" / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**config, key: value}))
    loads_or_is_refused(folder)


def loads_or_is_refused(folder: Path) -> None:
    try:
        model = EmotionModel.load(folder)
    except ClassifierError:
        return
    scores = model.classify(SOUND)
    assert 0 <= scores.upset <= 1
    assert sum(scores.probabilities.values()) == pytest.approx(1)


def test_a_folder_that_brings_code_of_its_own_is_refused_without_asking_or_running_it(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    code = {"AutoConfig": "evil.Config", "AutoFeatureExtractor": "evil.Extractor"}
    rewrite(folder / "config.json", model_type="its_own", auto_map=code)
    assert refused(folder).startswith("/config.json: ")
    rewrite(folder / "config.json", model_type="wav2vec2")
    rewrite(folder / "preprocessor_config.json", feature_extractor_type="ItsOwn", auto_map=code)
    assert refused(folder).startswith("/preprocessor_config.json: ")


@pytest.mark.parametrize("rate", [8_000, 48_000, 0, -1, "16 kHz", None, [16_000]])
def test_another_sampling_rate_is_refused(folder: Path, rate: object) -> None:
    rewrite(folder / "preprocessor_config.json", sampling_rate=rate)
    assert "preprocessor_config.json: " in refused(folder)


@pytest.mark.parametrize("kind", ["ViTImageProcessor", "ASTFeatureExtractor", "NoSuchExtractor", 5])
def test_an_extractor_that_hears_nothing_or_needs_pytorch_is_refused(folder: Path, kind: object) -> None:
    rewrite(folder / "preprocessor_config.json", feature_extractor_type=kind)
    refused(folder)


def test_an_extractor_that_fills_hours_is_refused_before_it_takes_the_memory(tmp_path: Path) -> None:
    folder = shutil.copytree(EXPORTS / "whisper", tmp_path / "model")
    rewrite(folder / "preprocessor_config.json", chunk_length=10**6)
    assert "n_samples is 16000000000; it may be 480000" in refused(folder)


@pytest.mark.parametrize("window_s", [31, 3600, 1e18, 0.001, -3])
def test_a_window_nobody_can_mean_is_refused(folder: Path, window_s: float) -> None:
    rewrite(folder / "config.json", patchbay={"upset_labels": ["LABEL_2"], "window_s": window_s})
    assert "patchbay.window_s is" in refused(folder)


# --- graphs


@given(st.lists(st.tuples(st.integers(0, len(GRAPH) - 1), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_a_graph_with_flipped_bytes_loads_or_is_refused(folder: Path, flips: list[tuple[int, int]]) -> None:
    broken = bytearray(GRAPH)
    for at, value in flips:
        broken[at] = value
    (folder / "model.onnx").write_bytes(broken)
    loads_or_is_refused(folder)


@given(st.integers(0, len(GRAPH) - 1))
@settings(max_examples=30, deadline=None, suppress_health_check=SHARED)
def test_a_graph_that_is_cut_off_is_refused(folder: Path, at: int) -> None:
    (folder / "model.onnx").write_bytes(GRAPH[:at])
    assert refused(folder).startswith("/model.onnx: ")


@pytest.mark.parametrize(
    "content",
    [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", b"<html>404</html>"],
    ids=["empty", "LFS pointer", "error page"],
)
def test_a_file_that_is_no_graph_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    assert "is no ONNX model that can be run" in refused(folder)


def with_weights_beside(folder: Path) -> None:
    """The same model as ``torch.onnx`` saves a large one: its weights in a file of their own."""
    onnx.save_model(
        onnx.load_model_from_string(GRAPH),
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=256,
    )


def test_weights_in_a_file_of_their_own_are_read(folder: Path) -> None:
    with_weights_beside(folder)
    expected = EmotionModel.load(EXPORTS / "wav2vec2").logits(SOUND)
    assert np.abs(EmotionModel.load(folder).logits(SOUND) - expected).max() < 1e-5
    (folder / "store").mkdir()  # and linked to, as the Hugging Face cache does
    for name in ("model.onnx", "model.onnx.data"):
        (folder / name).rename(folder / "store" / name)
        (folder / name).symlink_to(folder / "store" / name)
    assert np.abs(EmotionModel.load(folder).logits(SOUND) - expected).max() < 1e-5


def test_weights_that_were_left_behind_are_named(folder: Path) -> None:
    with_weights_beside(folder)
    (folder / "model.onnx.data").unlink()
    assert "External data" in refused(folder)


def test_weights_outside_the_folder_are_not_read(folder: Path) -> None:
    (folder.parent / "secret").write_bytes(FOUR.tobytes())
    tensor = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1, 4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    parts = mean_times(FOUR)
    proto = graph(*parts["nodes"])  # type: ignore[misc]
    proto.graph.initializer.append(tensor)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    assert refused(folder).startswith("/model.onnx: ")


def test_an_operator_nobody_knows_is_named(folder: Path) -> None:
    node = helper.make_node("ReadMind", ["input_values"], ["logits"], domain="com.example")
    save(folder, nodes=(node,), opsets=(helper.make_opsetid("com.example", 1),))
    assert "ReadMind" in refused(folder)


def test_an_operator_set_of_the_future_is_refused(folder: Path) -> None:
    proto = onnx.load_model_from_string(GRAPH)
    proto.opset_import[0].version = 999
    onnx.save_model(proto, folder / "model.onnx")
    assert "is no ONNX model that can be run" in refused(folder)


@pytest.mark.parametrize(
    ("weight", "shape"),
    [
        (np.ones((1, 3), np.float32), r"\[1, 3\]"),
        (np.ones((2, 1, 4), np.float32), r"\[2, 1, 4\]"),
        (np.ones((1, 1), np.float32), r"\[1, 1\]"),
    ],
)
def test_logits_of_another_shape_are_refused(folder: Path, weight: np.ndarray, shape: str) -> None:
    save(folder, **mean_times(weight))
    assert re.search(f"logits have the shape ({shape}); id2label .* asks for", refused(folder))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    save(folder, **mean_times(np.full((1, 4), value, np.float32)))
    assert "gives logits that are no numbers" in refused(folder)


def test_a_graph_that_divides_by_the_level_of_silence_is_refused_at_start_up(folder: Path) -> None:
    rewrite(folder / "preprocessor_config.json", do_normalize=False)
    nodes = (
        helper.make_node("Mul", ["input_values", "input_values"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["level"], axes=[1], keepdims=1),
        helper.make_node("Div", ["level", "level"], ["one"]),
        helper.make_node("MatMul", ["one", "weight"], ["logits"]),
    )
    save(folder, nodes=nodes, weights={"weight": FOUR})
    assert "gives logits that are no numbers" in refused(folder)


def test_logits_under_another_name_are_refused_with_the_names_there_are(folder: Path) -> None:
    proto = onnx.load_model_from_string(GRAPH.replace(b"logits", b"scores"))
    onnx.save_model(proto, folder / "model.onnx")
    assert "has the outputs scores (tensor(float)); name" in refused(folder)


def test_logits_that_are_whole_numbers_are_refused(folder: Path) -> None:
    node = helper.make_node("Shape", ["input_values"], ["logits"])
    save(folder, nodes=(node,), gives=TensorProto.INT64)
    assert "has the outputs logits (tensor(int64))" in refused(folder)


def test_logits_that_are_a_list_of_tensors_are_refused(folder: Path) -> None:
    proto = graph(helper.make_node("SequenceConstruct", ["input_values"], ["logits"]))
    proto.graph.output[0].CopyFrom(
        helper.make_tensor_sequence_value_info("logits", TensorProto.FLOAT, ["batch", "samples"])
    )
    onnx.save_model(proto, folder / "model.onnx")
    assert "has the outputs logits (seq(tensor(float)))" in refused(folder)


def test_a_graph_for_windows_of_one_length_names_the_setting_that_fits(folder: Path) -> None:
    save(folder, **mean_times(FOUR), samples=16_000)
    assert '"patchbay": {"window_s": 1}' in refused(folder)
    rewrite(folder / "config.json", patchbay={"upset_labels": ["LABEL_2"], "window_s": 1})
    assert EmotionModel.load(folder).classify(SOUND).upset == pytest.approx(0.25)


def test_an_input_that_the_extractor_does_not_make_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(GRAPH.replace(b"input_values", b"spectrograms"))
    assert "does not accept what preprocessor_config.json makes of audio" in refused(folder)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE], ids=["half", "double"])
def test_another_precision_is_answered_alike(folder: Path, kind: int) -> None:
    weight = np.array([[0.0, 1.0, 2.0, 3.0]], helper.tensor_dtype_to_np_dtype(kind))
    save(folder, **mean_times(weight), kind=kind, gives=kind)
    assert 0 < EmotionModel.load(folder).classify(SOUND).upset < 1
