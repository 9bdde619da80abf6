"""An ONNX file of a stranger: whatever its program does, it takes little time and little memory, and is refused."""

import os
import signal

import numpy as np
import pytest
import torch
from bundles import EMOTIONS, small_existence, small_fusion, write_bundle

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.inference import onnx_process
from mlee_sb.inference.onnx_model import CONFIG_KEY, LEAST_KEY, RATE_KEY, OnnxModel
from mlee_sb.models.config import read_config

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

K = len(EMOTIONS)
ANSWER = np.zeros((1, K), np.float32)
ENDLESS = 2**60


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """The config.json of a model with one output, and of one with two."""
    models = {"one": small_existence(), "two": small_fusion()}
    return {name: read_config(write_bundle(tmp_path_factory.mktemp(name) / "model", model)) for name, model in models.items()}


def node(kind, inputs, outputs, **attributes):
    return onnx.helper.make_node(kind, inputs, outputs, **attributes)


def constant(name, value):
    return node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(value), name))


def written(path, config, nodes, outputs=("logits",)):
    """An ONNX file with these nodes, and with metadata as `mlee export` writes them."""
    kind = onnx.TensorProto.FLOAT
    given = [
        onnx.helper.make_tensor_value_info("waveforms", kind, ["b", "s"]),
        onnx.helper.make_tensor_value_info("n_samples", onnx.TensorProto.INT64, ["b"]),
    ]
    answers = [onnx.helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = onnx.helper.make_graph(nodes, "g", given, answers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    noted = {CONFIG_KEY: json_text(config.as_json()), RATE_KEY: "16000", LEAST_KEY: "640"}
    onnx.helper.set_model_props(model, noted)
    onnx.save(model, path)
    return path


def loop(until):
    """Nodes that count, and then answer. How long depends on the input, so nothing of it can be computed when the file is loaded."""
    value, whole = onnx.helper.make_tensor_value_info, onnx.TensorProto.INT64
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["old", "old"], ["new"])],
        "body",
        [value("i", whole, []), value("go", onnx.TensorProto.BOOL, []), value("old", whole, [1])],
        [value("on", onnx.TensorProto.BOOL, []), value("new", whole, [1])],
    )
    times, go = constant("times", np.int64(until)), constant("yes", np.bool_(True))
    return [times, go, node("Loop", ["times", "yes", "n_samples"], ["end"], body=body), constant("logits", ANSWER)]


def large(gigabytes):
    """Nodes that make so many gigabytes of zeros, as many as the input has sample counts, and answer their sum."""
    shape = constant("shape", np.array([gigabytes * 2**28], np.int64))
    spread = node("Expand", ["zero", "shape"], ["many"])
    zero = node("Cast", ["n_samples"], ["zero"], to=onnx.TensorProto.FLOAT)
    summed = node("ReduceSum", ["many"], ["sum"], keepdims=0)
    return [shape, zero, spread, summed, constant("a", ANSWER), node("Mul", ["a", "sum"], ["logits"])]


PROGRAMS = {
    "no end": (lambda: loop(ENDLESS)[:3] + [node("Cast", ["end"], ["logits"], to=onnx.TensorProto.FLOAT)], "took more than"),
    "gigabytes": (lambda: large(9), "no ONNX file that can be run|for want of memory"),
    "no emotions": (lambda: [constant("logits", ANSWER[:, :0])], r"answers numbers of shapes \[\[1, 0\]\]"),
    "a number": (lambda: [constant("logits", np.float32(0))], r"answers numbers of shapes \[\[\]\]"),
    "of more utterances": (lambda: [constant("logits", np.zeros((7, K), np.float32))], r"answers numbers of shapes \[\[7, 3\]\]"),
    "NaN": (lambda: [constant("logits", ANSWER + np.nan)], "a test tone: the answer of the model is not finite"),
    "infinity": (lambda: [constant("logits", ANSWER + np.inf)], "a test tone: the answer of the model is not finite"),
    "text": (lambda: [constant("logits", np.array([["a"] * K], object))], "no ONNX file that can be run"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_no_model_is_refused_when_it_is_loaded(name, configs, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_process, "SECONDS", 2.0 if name != "no end" else 0.3)
    monkeypatch.setattr(onnx_process, "SECONDS_PER_SECOND", 0.0)
    program, words = PROGRAMS[name]
    path = written(tmp_path / "a.onnx", configs["one"], program())
    with pytest.raises(InputError, match=words):
        EmotionClassifier.from_hparams(path)


@pytest.mark.parametrize(("config", "outputs"), [("one", ("logits", "presence")), ("two", ("logits",))])
def test_a_file_has_the_outputs_of_its_config(config, outputs, configs, tmp_path):
    path = written(tmp_path / "a.onnx", configs[config], [constant(name, ANSWER) for name in outputs], outputs)
    with pytest.raises(InputError, match="answers numbers of shapes"):
        EmotionClassifier.from_hparams(path)


def test_what_is_right_once_is_held_to_it_every_time(configs, tmp_path):
    """A file that always answers one utterance passes with one, and is refused with two."""
    model = OnnxModel(written(tmp_path / "a.onnx", configs["one"], [constant("logits", ANSWER)]))
    assert model.logits(torch.zeros(1, 700), torch.tensor([700]))[0].tolist() == [[0.0] * K]
    with pytest.raises(InputError, match="answers numbers of shapes"):
        model.logits(torch.zeros(2, 700), torch.tensor([700, 700]))
    assert model.logits(torch.zeros(1, 700), torch.tensor([700]))[0].tolist() == [[0.0] * K]  # by a new process


def test_a_process_that_dies_is_an_error_and_the_next_question_has_a_new_one(configs, tmp_path):
    model = OnnxModel(written(tmp_path / "a.onnx", configs["one"], [constant("logits", ANSWER)]))
    os.kill(model.process._process.pid, signal.SIGKILL)
    with pytest.raises(InputError, match="a.onnx: ended the process"):
        model.logits(torch.zeros(1, 700), torch.tensor([700]))
    assert model.logits(torch.zeros(1, 700), torch.tensor([700]))[0].shape == (1, K)


def test_a_model_that_nobody_uses_any_more_leaves_no_process(configs, tmp_path):
    model = OnnxModel(written(tmp_path / "a.onnx", configs["one"], [constant("logits", ANSWER)]))
    process = model.process._process
    del model
    assert process.wait(timeout=60) is not None
