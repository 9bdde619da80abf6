"""What the benchmarks compare computes the same, and they run. No figure is looked at here."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers
from summaries import SUMMARY
from upstreams import write_upstream

from mlee_sb.stage_folder import REQUIRED, StageFolder

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


DRAWS = 5  # of weights and waveforms


def loss_and_gradients(draw: int, training: bool):
    """The losses of the reference and of our encoder, and by how much their gradients differ, relative to the largest of each weight."""
    from reference.model import ReferenceEncoder, take_weights
    from training_step import our_encoder

    torch.manual_seed(draw)
    ours, reference = our_encoder(), ReferenceEncoder(torch.zeros(400), torch.ones(400))
    take_weights(reference, ours)
    waveforms, lengths, targets = 0.1 * torch.randn(4, 24000), torch.full((4,), 24000), torch.randn(4, 256)
    losses = []
    for encoder in (ours.train(training), reference.train(training)):
        loss = (encoder(waveforms, lengths) - targets).square().mean()
        loss.backward()
        losses.append(loss.item())
    pairs = [(layer.conv, plain[1]) for layer, plain in zip(ours.network.cnn, reference.layers, strict=True)]
    pairs += [(layer.norm, plain[2]) for layer, plain in zip(ours.network.cnn, reference.layers, strict=True)]
    pairs += [(ours.network.blstm, reference.lstm)]
    pairs += [(ours.network.attention.hidden, reference.hidden), (ours.network.attention.score, reference.score)]
    differences = []
    for our_module, plain in pairs:
        for name, parameter in plain.named_parameters():
            if name == "bias" and training and isinstance(plain, torch.nn.Conv2d):
                continue  # batch norm takes it away again: both gradients are rounding
            gradient = dict(our_module.named_parameters())[name].grad
            differences.append(float((gradient - parameter.grad).abs().max() / parameter.grad.abs().max()))
    return losses, max(differences)


@pytest.mark.parametrize("training", [True, False])
def test_the_reference_and_our_encoder_give_the_same_loss_and_gradients(training):
    """In fp32, to 1e-4 relative, on a batch without padding: the reference's batch norm knows none.

    Where two frames are nearly alike, max pooling takes one or the other by their rounding, and the gradient goes another way: so it is
    in one draw of six, on one processor or another. What computes something else does so in every draw.
    """
    found = [loss_and_gradients(draw, training) for draw in range(DRAWS)]
    for (ours, reference), _ in found:
        assert ours == pytest.approx(reference, rel=1e-4)
    assert min(difference for _, difference in found) <= 1e-4


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
        whole = reference(waveforms, lengths)
    difference, between_utterances = (half.float() - whole).norm(dim=1).max(), torch.pdist(whole).min()
    assert 0 < difference < between_utterances / 10


def test_the_convolution_floor_counts_the_operations_of_the_papers_network():
    import convolution_peak

    assert convolution_peak.operations() == pytest.approx(3.64e9, rel=0.01)  # 1.25 GFLOP of convolution and 0.05 of LSTM forward


SMALL = {
    "threads": 1,
    "repeats": 1,
    "utterances": 16,
    "corpus": 200,
    "embeddings": 64,
    "epochs": 1,
    "files": 20,
    "table": 300,
    "minutes": 10,
}


@pytest.mark.real
def test_every_benchmark_runs_and_leaves_its_figures(tmp_path):
    import bench

    small = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    names = [name for name in bench.NAMES if name != "extraction"]  # below, without four processes that import all
    halves = {tmp_path / f"{start}.json": names[start::2] for start in (0, 1)}  # two at a time: most of it is imports
    running = [
        subprocess.Popen(
            [sys.executable, BENCHMARKS / "bench.py", "--only", *names, *small, "--output", output],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)},
        )
        for output, names in halves.items()
    ]
    for process, (output, names) in zip(running, halves.items(), strict=True):
        said, errors = process.communicate()
        assert process.returncode == 0, errors[-2000:]
        found = json.loads(output.read_text())
        assert len(found["results"]) >= len(names) and {"processor", "cpus", "device", "packages"} <= found["machine"].keys()
        for result in found["results"]:
            for figures in result["values"].values():
                assert 0 <= figures["spread"][0] <= figures["median"] <= figures["spread"][1], result["name"]
            assert next(iter(result["ratios"].values())) == 1
            assert result["name"] in said


def test_what_is_measured_alone_leaves_the_figures_of_all_as_they_were(monkeypatch, capsys):
    import bench

    written = []
    monkeypatch.setattr(bench, "write", lambda *_: written.append(1))
    monkeypatch.setattr(sys, "argv", ["bench.py", "--only", "padding", "--corpus", "50"])
    bench.main()
    assert "padding of shuffled batches" in capsys.readouterr().out
    assert not written


def test_only_folds_with_all_stages_of_table_3_are_counted(tmp_path, capsys):
    import table3_fold

    for fold, heads in ((1, table3_fold.HEADS), (2, 1)):
        for number in range(table3_fold.ENCODERS + heads):
            stage, is_head = StageFolder(tmp_path / f"{number}/fold{fold}"), number >= table3_fold.ENCODERS
            stage.write_summary(replace(SUMMARY, fold=fold, seconds=1.0 if is_head else 10.0))
            stage.write_identity({REQUIRED + "mlee": "key"} if is_head else {})
    table3_fold.main(str(tmp_path))
    said = capsys.readouterr().out
    assert "fold   2  left out: 5 encoders and 1 heads" in said
    assert "1 folds  encoders      50 s  all      58 s  1.160" in said
    with pytest.raises(SystemExit, match="no fold with all stages"):
        table3_fold.main(str(tmp_path / "0"))


@pytest.fixture
def loud_and_quiet(tmp_path):
    """Manifests and recordings from which a few steps teach much: hap is loud. All have one length: the reference knows no padding."""
    import preparation

    from mlee_sb.corpora.prepare import prepare

    generator, lines = np.random.default_rng(0), ["wav,speaker,votes_neu,votes_hap,votes_other"]
    release = tmp_path / "release"
    release.mkdir()
    for i in range(64):
        loud = i // 4 % 2
        soundfile.write(release / f"{i}.wav", (0.2 if loud else 0.002) * generator.standard_normal(8000).clip(-4, 4), 16000)
        lines.append(f"{i}.wav,s{i % 4},{3 * (1 - loud)},{3 * loud},0")
    (release / "votes.csv").write_text("\n".join(lines) + "\n")
    prepare("vote_table", release, tmp_path / "manifests", preparation.EMOTIONS, say=lambda line: None)
    return str(tmp_path / "manifests"), str(release)


@pytest.mark.real  # a quarter of a minute
def test_plain_and_ours_learn_the_same_in_both_precisions(loud_and_quiet, monkeypatch):
    import corpus
    import learning

    monkeypatch.setattr(corpus, "SPEEDS", (1.0,))
    plain, ours, half = (np.array(learning.losses_of(which, *loud_and_quiet, seed=1)) for which in ("reference", "ours_fp32", "ours_bf16"))
    monkeypatch.setattr(learning, "LR", 0.0)
    nothing = np.array(learning.losses_of("ours_bf16", *loud_and_quiet, seed=1))
    learnt = nothing - plain
    assert len(plain) == learning.EPOCHS and (np.diff(learnt) > 0).all()
    assert np.abs(ours - plain).max() < 0.01 * learnt[-1]
    assert 0 < np.abs(half - plain).max() < 0.1 * learnt[-1]


@pytest.mark.real  # a quarter of a minute
def test_all_that_extraction_compares_runs(tmp_path):
    import extraction

    upstream = write_upstream(tmp_path / "whisper", "whisper", num_mel_bins=80, max_source_positions=1500)
    (upstream / "preprocessor_config.json").write_text(transformers.WhisperFeatureExtractor().to_json_string())
    files = [tmp_path / f"{number}.wav" for number in range(2)]
    for number, file in enumerate(files):
        soundfile.write(file, 0.1 * np.random.default_rng(number).standard_normal(4000 + 800 * number), 16000)
    with torch.no_grad():
        extraction.bare(upstream, files)
        extraction.speechbrain(upstream, files)
        for context in ("padded", "cut"):
            extraction.ours(upstream, files, context)
