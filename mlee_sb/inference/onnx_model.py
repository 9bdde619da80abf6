"""A model as one ONNX file: written from a bundle and held against it, run by onnxruntime (extra ``export``) in a process of its own."""

import logging
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mlee_sb.disk import check_writable
from mlee_sb.errors import InputError, NeedsCode, reason_of
from mlee_sb.files import json_text, written_beside
from mlee_sb.inference.onnx_process import INSTALL, RUNTIME, OnnxProcess
from mlee_sb.models.bundle import Bundle
from mlee_sb.models.config import LARGEST_AUDIO, LARGEST_CONFIG, BundleConfig, parse_config
from mlee_sb.models.emotion_model import EmotionModel, check_finite
from mlee_sb.models.export.encoders import exportable
from mlee_sb.models.golden import tone
from mlee_sb.models.registry import build
from mlee_sb.plugins import FRONT_ENDS
from mlee_sb.targets.outputs import OUTPUTS, SIGMOID

CONFIG_KEY, RATE_KEY, LEAST_KEY = "mlee_sb.config", "mlee_sb.sample_rate", "mlee_sb.min_samples"  # in the metadata of the file
WAVEFORMS, SAMPLES, LOGITS, PRESENCE = "waveforms", "n_samples", "logits", "presence"  # names of inputs and outputs
LARGEST_FILE = 2 * 1024**3  # bytes; a limit of protobuf, in which ONNX is written
TOLERANCE = 1e-5  # of a probability
CHECKED_SECONDS = (0.3, 4.0)  # between which random lengths are drawn
CHECKED_BATCHES = (1, 3, 2)


class OnnxModel:
    """What `EmotionClassifier` asks of a model, answered by onnxruntime on the CPU.

    The file may come from a stranger: see `mlee_sb.inference.onnx_process`.

    Parameters
    ----------
    path : a file of `export`

    Raises
    ------
    InputError
        if onnxruntime is not installed, or if the file is damaged or of something else, says other things than its config, gives a test
        tone an answer of another shape or one that is not finite, or takes more time or memory for it than any model
    """

    def __init__(self, path: Path):
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes, and at most {LARGEST_FILE:,} are taken")
        self.path, self.process = path, OnnxProcess(path, torch.get_num_threads())
        noted = self.process.metadata
        if not {CONFIG_KEY, RATE_KEY, LEAST_KEY} <= noted.keys() or len(noted[CONFIG_KEY]) > LARGEST_CONFIG:
            raise InputError(f"{path}: an ONNX file that `mlee export` did not write")
        config = parse_config(noted[CONFIG_KEY], path)
        self.emotions, self.output, self.calibration = list(config.emotions), OUTPUTS[config.output], config.calibration
        self.demo = config.demo
        self.sample_rate, self.min_samples = (_count(noted, key, path) for key in (RATE_KEY, LEAST_KEY))
        _check_rates(path, config, self.sample_rate, self.min_samples)
        self.n_outputs = 1 if config.presence is None else 2
        samples = tone(self.sample_rate, self.min_samples)
        logits, presence = self.logits(samples.unsqueeze(0), torch.tensor([len(samples)]))
        check_finite(logits + 0 * (logits if presence is None else presence), f"{path}: a test tone")

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute both answers in one pass, as `mlee_sb.models.emotion_model.EmotionModel.logits` does."""
        if int(n_samples.min()) < self.min_samples:
            raise InputError(f"an utterance of {int(n_samples.min())} samples: the model needs {self.min_samples} or more")
        shapes = [(len(waveforms), len(self.emotions))] * self.n_outputs
        fed = waveforms.cpu().numpy().astype(np.float32), n_samples.cpu().numpy().astype(np.int64)
        found = self.process.ask(*fed, self.sample_rate, (WAVEFORMS, SAMPLES), shapes)
        logits, *presence = (torch.from_numpy(values.copy()) for values in found)
        if self.output.knows_existence:
            return logits, logits
        return logits, presence[0] if presence else None

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log posteriors, or log probabilities of existence, [batch, K] for logits [batch, K]."""
        return self.output.log_probabilities(logits)


def export(bundle: Bundle, path: str | Path) -> float:
    """Write a model as ONNX, with batch and length left open, once it was seen to answer as the model does.

    Parameters
    ----------
    bundle : the model
    path : the file to write

    Returns
    -------
    float
        the largest difference of a probability on audio of random lengths

    Raises
    ------
    InputError
        if the extra is not installed, an encoder cannot be exported, or the file would answer otherwise than the model
    """
    _imported("onnxscript"), _imported(RUNTIME)
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError(f"{path}: the name of an ONNX file ends in .onnx")
    check_writable(path.parent)  # before the work, and before the exporter takes a full disk for a fault of the model
    with written_beside(path) as beside:
        _write(bundle, beside)
        try:
            difference = _compare(bundle, OnnxModel(beside))
        except Exception as error:  # onnxruntime has a type for each kind of fault
            raise _not_exportable(bundle.model, error) from error
        if not difference <= TOLERANCE:
            raise InputError(f"{path}: not written: it would answer otherwise than the model, by {difference:.2g} of a probability")
    return difference


class _Answer(nn.Module):
    """The outputs that the file has: one for a model that knows only one thing. Its encoder is the exportable one of the model's."""

    def __init__(self, model: EmotionModel):
        super().__init__()
        self.model = EmotionModel(exportable(model.encoder), model.classifier, model.emotions, model.output, model.presence)

    def forward(self, waveforms: Tensor, n_samples: Tensor):
        logits, presence = self.model.logits(waveforms, n_samples)
        return (logits,) if presence is None or self.model.output.knows_existence else (logits, presence)


def _write(bundle: Bundle, path: Path) -> None:
    model = bundle.model
    example = torch.zeros(2, model.sample_rate), torch.tensor([model.sample_rate, model.sample_rate // 2])
    batch, samples = torch.export.Dim("batch"), torch.export.Dim("samples", min=model.min_samples)
    outputs = [LOGITS] if model.presence is None else [LOGITS, PRESENCE]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of libraries that are not needed
    try:
        answer = _Answer(model).eval()
        _check_size(answer, path)
        with warnings.catch_warnings(), redirect_stdout(StringIO()), _lstm_as_in_a_new_process():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                answer,
                example,
                dynamo=True,
                optimize=False,  # the optimizer drops what is added to the power before the logarithm, as if 1e-8 were nothing
                verbose=False,
                input_names=[WAVEFORMS, SAMPLES],
                output_names=outputs,
                dynamic_shapes={WAVEFORMS: {0: batch, 1: samples}, SAMPLES: {0: batch}},
            )
        config = json_text(bundle.config.as_json())
        program.model.metadata_props.update({CONFIG_KEY: config, RATE_KEY: str(model.sample_rate), LEAST_KEY: str(model.min_samples)})
        program.save(path, external_data=False)
    except (InputError, OSError):  # a full disk is not the fault of the model
        raise
    except Exception as error:  # of the exporter: it has one for each thing that it cannot do
        raise _not_exportable(model, error) from error


def _check_size(answer: nn.Module, path: Path) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*answer.parameters(), *answer.buffers()))
    if size > LARGEST_FILE:
        most = f"an ONNX file holds {LARGEST_FILE / 1e9:.1f} GB at most"
        raise InputError(f"{path}: the weights, with those of upstreams, take {size / 1e9:.1f} GB, and {most}: use the model itself")


def _not_exportable(model: EmotionModel, error: Exception) -> InputError:
    names = ", ".join(type(encoder).__name__ for encoder in model.encoders)
    return InputError(f"the encoders {names} cannot be exported to ONNX: {reason_of(error)}")


@contextmanager
def _lstm_as_in_a_new_process() -> Iterator[None]:
    """The exporter replaces torch's LSTM for as long as it works, but not what torch remembers of which one to call.

    So a second export in one process would be of the other one, with a length that is fixed.
    """
    remembered = torch.ops.aten.lstm.input._dispatch_cache
    remembered.clear()
    try:
        yield
    finally:
        remembered.clear()


@torch.no_grad()
def _compare(bundle: Bundle, exported: OnnxModel) -> float:
    """Return the largest difference of a probability, over batches of audio of random lengths."""
    model, random = bundle.model, torch.Generator().manual_seed(0)
    least, most = (max(model.min_samples, round(seconds * model.sample_rate)) for seconds in CHECKED_SECONDS)
    worst = 0.0
    for size in CHECKED_BATCHES:
        lengths = torch.randint(least, most + 1, (size,), generator=random)
        lengths[0] = model.min_samples if size > 1 else lengths[0]
        waveforms = 0.1 * torch.randn(size, int(lengths.max()), generator=random)
        waveforms[torch.arange(waveforms.shape[1]) >= lengths.unsqueeze(1)] = 0
        waveforms[-1, : int(lengths[-1]) // 2] = 0  # digital silence
        outputs = (model.output, SIGMOID)
        for ours, theirs, output in zip(model.logits(waveforms, lengths), exported.logits(waveforms, lengths), outputs, strict=True):
            if ours is not None:
                probabilities = [output.log_probabilities(logits).exp() for logits in (ours, theirs)]
                difference = float((probabilities[0] - probabilities[1]).abs().max())
                worst = max(worst, difference if math.isfinite(difference) else math.inf)  # max knows no NaN
    return worst


def _check_rates(path: Path, config: BundleConfig, rate: int, least: int) -> None:
    """Refuse a sample rate and a smallest length that are not those of the front ends and upstreams that the config describes."""
    known = []
    for encoder in config.whole_encoders:
        if encoder.front_end is not None:
            try:
                known.append(build(FRONT_ENDS, **encoder.front_end.model_dump()))
            except NeedsCode:  # of a package that is not installed here, and need not be
                continue
        elif encoder.upstream is not None:
            known.append(config.upstreams[encoder.upstream])
    if any(part.sample_rate != rate for part in known):
        raise InputError(f"{path}: {RATE_KEY} is {rate}, but {CONFIG_KEY} says {known[0].sample_rate}; export the model again")
    if len(known) == len(config.encoders) and (said := max(part.min_samples for part in known)) != least:
        raise InputError(f"{path}: {LEAST_KEY} is {least}, but {CONFIG_KEY} says {said}; export the model again")


def _count(noted: dict[str, str], key: str, path: Path) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", noted[key]):
        raise InputError(f"{path}: {key} is {noted[key]!a:.50}, and must be a whole number above 0; export the model again")
    if (value := int(noted[key])) > LARGEST_AUDIO:
        raise InputError(f"{path}: {key} is {value:,}, and at most {LARGEST_AUDIO:,} is allowed; export the model again")
    return value


def _imported(name: str):
    try:
        return __import__(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed: {INSTALL}") from error
