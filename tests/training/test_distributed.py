"""Two processes of torchrun train what one process trains, on the CPU, over gloo."""

import gc
import re
import subprocess
import sys
import weakref

import pytest
import torch
from bundles import paper_encoder

from mlee_sb.errors import InputError
from mlee_sb.models.masking import WholeBatchNorm2d
from mlee_sb.training import data as data_module
from mlee_sb.training.data import UtteranceSampler
from mlee_sb.training.distributed import own_device, process_group
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.run import run
from mlee_sb.training.train_stage import train_stage

from . import in_processes

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one process gives."""
    return in_processes.everything(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory):
    """How the run of two processes ended, and its folder."""
    folder = tmp_path_factory.mktemp("two")
    words = [*TORCHRUN, in_processes.__file__, str(folder)]
    return subprocess.run(words, capture_output=True, text=True), folder


@pytest.fixture(scope="module")
def two(run_of_two):
    """What each of two processes gives."""
    done, folder = run_of_two
    assert (folder / "1.pt").is_file(), done.stderr
    return [torch.load(folder / f"{number}.pt") for number in (0, 1)]


def test_batch_norm_counts_the_valid_frames_of_both_processes(one, two):
    alone, shares = one["batch_norm"], [part["batch_norm"] for part in two]
    assert [len(part["valid"]) for part in shares] == [3, 2]
    for number, share in enumerate(shares):
        torch.testing.assert_close(share["valid"], alone["valid"][number::2], rtol=1e-5, atol=1e-5)  # and their gradients
        torch.testing.assert_close(share["statistics"], alone["statistics"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sum(part["gradients"] for part in shares), alone["gradients"], rtol=1e-5, atol=1e-5)


def test_speechbrain_leaves_our_batch_norm_as_it_is():
    def norms(module):
        return [type(part) for part in module.modules() if "Norm" in type(part).__name__]

    network = paper_encoder().network
    assert norms(torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)) == norms(network) == [WholeBatchNorm2d] * 3


def test_batch_norm_has_the_weights_and_statistics_of_the_plain_one_by_name():
    theirs = torch.nn.BatchNorm2d(3).state_dict()
    ours = WholeBatchNorm2d(3).state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_every_utterance_weighs_the_same_whatever_share_it_falls_into(one, two):
    for part in two:
        torch.testing.assert_close(part["fit"]["weights"], one["fit"]["weights"], rtol=1e-4, atol=1e-6)
        assert part["fit"]["losses"] == pytest.approx(one["fit"]["losses"], rel=1e-5)
        torch.testing.assert_close(part["fit"]["logits"], one["fit"]["logits"], rtol=1e-4, atol=1e-5)


def test_both_processes_hold_the_same_and_so_stop_at_the_same_epoch(two):
    for what in ("weights", "losses", "logits"):
        torch.testing.assert_close(two[0]["fit"][what], two[1]["fit"][what], rtol=0, atol=0)


def test_a_resumed_run_of_two_goes_on_to_the_bit_though_each_drops_out_others(two):
    for part in two:
        torch.testing.assert_close(part["resumed"]["weights"], part["dropout"]["weights"], rtol=0, atol=0)
    masks = [torch.cat(part["dropout"]["left_out"]) for part in two]
    n = min(map(len, masks))
    assert not torch.equal(masks[0][:n], masks[1][:n])


def test_what_the_main_process_refuses_ends_all_and_is_said_once(one, two):
    assert one["error"] == "InputError"
    assert [part["error"] for part in two] == ["InputError", "SystemExit"]


def test_one_process_speaks_and_writes(run_of_two, two):
    done, folder = run_of_two
    assert re.findall(r"process \d speaks", done.stdout) == ["process 0 speaks"]
    log = (folder / "fit/log.txt").read_text()
    assert [line.split(" -")[0] for line in log.splitlines()] == ["epoch: 1", "epoch: 2", "epoch: 3"]


def test_a_process_that_fails_alone_leaves_none_behind_that_waits_for_it(run_of_two, two):
    done, _ = run_of_two
    assert done.returncode != 0 and "of one process alone" in done.stderr


def test_processes_share_every_batch_of_one_order_among_them():
    seconds = [float(number % 7) for number in range(37)]  # the last batch has one utterance
    samplers = [UtteranceSampler(seconds, 4, 1, share) for share in ((0, 1), (0, 3), (1, 3), (2, 3))]
    for sampler in samplers:
        sampler.set_epoch(2)
    whole, *shares = map(list, samplers)
    for batch, *parts in zip(whole, *shares, strict=True):
        if len(batch) == 1:
            assert parts == [batch] * 3, "none stands idle"
        else:
            assert [len(part) for part in parts] == [2, 1, 1] and sorted(sum(parts, [])) == sorted(batch)


def test_a_process_reads_the_training_set_for_its_statistics_and_half_of_each_batch_to_learn_from(stage, monkeypatch):
    reads = []
    load = data_module.load_waveform
    monkeypatch.setattr(data_module, "load_waveform", lambda path, *how, **piece: reads.append(path.name) or load(path, *how, **piece))
    monkeypatch.setattr("mlee_sb.training.train_stage.processes", lambda: (1, 2))
    monkeypatch.setattr("mlee_sb.training.train_stage._finish", lambda *_: None)
    part = stage("mlee", max_epochs=1, batch_size=4)
    train_stage(part, "cpu", lambda line: None)
    inputs = stage_inputs(part)
    items = 3 * len(inputs.train)  # speeds
    assert sum(name[0] in "cd" for name in reads) == items + items / 2
    assert sum(name[0] in "ab" for name in reads) == (len(inputs.valid) + len(inputs.valid_split) + len(inputs.test)) / 2


def test_a_batch_that_is_too_small_to_be_shared_is_refused_before_training(stage, monkeypatch):
    monkeypatch.setattr("mlee_sb.training.run.processes", lambda: (0, 3))
    with pytest.raises(InputError, match="batch_size is 2, and must be 3 or more for 3 processes"):
        run(stage("mlee", batch_size=2), "cpu", lambda folder: None, lambda line: None)


@pytest.fixture
def launched(monkeypatch):
    """As in process 1 of two, on a machine with as many GPUs as asked for."""

    def launch(gpus: int):
        for name, value in {"RANK": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)

    return launch


@pytest.mark.parametrize(
    "gpus, asked, given", [(2, None, "cuda:1"), (2, "cuda", "cuda:1"), (2, "cpu", "cpu"), (1, "cpu", "cpu"), (0, None, "cpu")]
)
def test_each_process_has_a_device_of_its_own(launched, gpus, asked, given):
    launched(gpus)
    assert own_device(asked) == given


@pytest.mark.parametrize(
    "gpus, asked, said", [(2, "cuda:1", "leave --device out"), (1, None, "--nproc_per_node=1"), (0, "cuda", "0 GPUs: give --device cpu")]
)
def test_a_gpu_for_two_processes_is_refused(launched, gpus, asked, said):
    launched(gpus)
    with pytest.raises(InputError, match=re.escape(said)):
        own_device(asked)


def test_without_torchrun_a_device_is_the_one_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [own_device(asked) for asked in (None, "cuda", "cuda:3", "cpu")] == ["cuda:0", "cuda", "cuda:3", "cpu"]


def test_nothing_of_a_training_is_left_when_the_group_is_left(launched, monkeypatch):
    class Brain:
        pass

    left = []
    launched(0)
    monkeypatch.setattr("mlee_sb.training.distributed.ddp_init_group", lambda options: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: left.append(known()))
    gc.disable()
    try:
        with process_group("cpu"):
            brain = Brain()
            brain.checkpointer = {"brain": brain}  # as SpeechBrain's
            known = weakref.ref(brain)
            del brain
    finally:
        gc.enable()
    assert left == [None], "else Python aborts at its end, now and then"
