"""What the benchmarks compare computes the same, and each of them runs. No figure is looked at here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """As when a benchmark is run: its folder is where modules are looked for."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(BENCHMARKS) in sys.modules[name].__file__:
            del sys.modules[name]


@pytest.mark.parametrize("training", [True, False])
def test_the_reference_and_our_encoder_give_the_same_loss_and_gradients(training):
    """In fp32, to 1e-4 relative, on a batch without padding: the reference's batch norm knows none."""
    from reference.model import ReferenceEncoder, take_weights
    from training_step import our_encoder

    torch.manual_seed(0)
    ours, reference = our_encoder(), ReferenceEncoder(torch.zeros(400), torch.ones(400))
    take_weights(reference, ours)
    waveforms, lengths, targets = 0.1 * torch.randn(4, 24000), torch.full((4,), 24000), torch.randn(4, 256)
    losses = []
    for encoder in (ours.train(training), reference.train(training)):
        loss = (encoder(waveforms, lengths) - targets).square().mean()
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    pairs = [(layer.conv, plain[1]) for layer, plain in zip(ours.network.cnn, reference.layers, strict=True)]
    pairs += [(layer.norm, plain[2]) for layer, plain in zip(ours.network.cnn, reference.layers, strict=True)]
    pairs += [(ours.network.blstm, reference.lstm), (ours.network.attention.hidden, reference.hidden)]
    for our_module, plain in pairs:
        for name, parameter in plain.named_parameters():
            gradient = dict(our_module.named_parameters())[name].grad
            scale = parameter.grad.abs().max()
            if name == "bias" and training and isinstance(plain, torch.nn.Conv2d):
                continue  # batch norm takes it away again: both gradients are rounding
            assert (gradient - parameter.grad).abs().max() <= 1e-4 * scale + 1e-9, name


def test_bf16_is_within_its_rounding_of_the_reference():
    from reference.model import ReferenceEncoder, take_weights
    from training_step import our_encoder

    torch.manual_seed(0)
    ours, reference = our_encoder().eval(), ReferenceEncoder(torch.zeros(400), torch.ones(400)).eval()
    take_weights(reference, ours)
    waveforms, lengths = 0.1 * torch.randn(4, 24000), torch.full((4,), 24000)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = ours(waveforms, lengths)
    with torch.no_grad():
        torch.testing.assert_close(half.float(), reference(waveforms, lengths), atol=0.02, rtol=0.1)


def test_the_convolution_floor_counts_the_operations_of_the_papers_network():
    import convolution_peak

    assert convolution_peak.operations() == pytest.approx(3.64e9, rel=0.01)  # 1.25 GFLOP of convolution and 0.05 of LSTM forward


@pytest.mark.timeout(300)
def test_every_benchmark_runs_and_leaves_its_figures(tmp_path):
    """Without those that start whole programs, which other tests run."""
    names = ["training_step", "convolution_peak", "padding", "reading", "frozen", "classification", "preparation", "memory"]
    small = [
        "--repeats",
        "1",
        "--utterances",
        "16",
        "--corpus",
        "200",
        "--embeddings",
        "64",
        "--epochs",
        "1",
        "--files",
        "20",
        "--table",
        "300",
    ]
    command = [sys.executable, BENCHMARKS / "bench.py", "--only", *names, *small, "--output", tmp_path / "results.json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)})
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "results.json").read_text())
    assert len(found["results"]) == 11 and {"processor", "cpus", "packages"} <= found["machine"].keys()
    for result in found["results"]:
        assert all(value > 0 for values in result["values"].values() for value in values), result["name"]
        assert next(iter(result["ratios"].values())) == 1
        assert result["name"] in done.stdout


def test_plain_and_ours_begin_alike_and_learn_from_the_same_batches(tmp_path, monkeypatch):
    import learning
    import preparation

    from mlee_sb.corpora.prepare import prepare

    # Recordings of one length: the reference has no padding to be led astray by.
    monkeypatch.setattr(learning, "SPEEDS", (1.0,))
    folder = preparation.write_release(tmp_path / "release", 60, samples=8000)
    prepare("vote_table", folder, tmp_path / "manifests", preparation.EMOTIONS, say=lambda line: None)
    plain, ours, half = (
        learning.losses_of(which, str(tmp_path / "manifests"), str(folder), seed=1) for which in ("reference", "ours_fp32", "ours_bf16")
    )
    assert len(plain) == learning.EPOCHS
    assert ours == pytest.approx(plain, rel=1e-3)
    assert half == pytest.approx(plain, rel=0.02) and half != ours
