"""The four modules that SpeechBrain's EncoderClassifier needs, around an `EmotionModel`.

EncoderClassifier gives the embedding model features without their lengths in samples, so the number of frames could be wrong by one.
Therefore the first two modules return the waveform as it is, and the third one computes the embedding from the waveform.
"""

from collections.abc import Mapping

import torch
from safetensors.torch import load_file
from speechbrain.utils.fetching import FetchSource
from speechbrain.utils.parameter_transfer import Pretrainer
from torch import Tensor, nn

from mlee_sb.models.bundle import UPSTREAMS, build_model
from mlee_sb.models.bundle_files import WEIGHTS
from mlee_sb.models.classifiers import build_classifier
from mlee_sb.models.config import Architecture
from mlee_sb.models.emotion_model import check_finite
from mlee_sb.models.upstreams.carried import PREFIX, take_carried
from mlee_sb.targets.outputs import OUTPUTS


class Waveforms(nn.Module):
    """Returns waveforms as they are."""

    def forward(self, waveforms: Tensor, relative_lengths: Tensor | None = None) -> Tensor:
        return waveforms


class WaveformEmbedding(nn.Module):
    """From waveforms [batch, samples] and relative lengths [batch] to embeddings [batch, embedding_size]."""

    def __init__(self, config: dict):
        super().__init__()
        self.model = build_model(Architecture.model_validate(config))
        self.model.classifier = nn.Identity()

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True, assign: bool = False):
        """Load the weights of the encoder. Upstreams that the bundle does not carry are found when they are first used."""
        if any(name.startswith(PREFIX) for name in state_dict):  # of a bundle that carried them here, too
            take_carried(self.model, state_dict)
        of_encoder = {name: tensor for name, tensor in state_dict.items() if not name.startswith(PREFIX)}
        return super().load_state_dict(of_encoder, strict, assign)

    def forward(self, waveforms: Tensor, relative_lengths: Tensor) -> Tensor:
        return self.model.encoder(waveforms, samples_from_relative(relative_lengths, waveforms.shape[1]))


class PretrainerWithUpstreams(Pretrainer):
    """SpeechBrain's Pretrainer for a bundle that carries upstreams: it reads them from model.safetensors, where they lie once.

    Parameters
    ----------
    loadables : as for SpeechBrain's; ``upstreams`` is the `WaveformEmbedding` that takes them
    """

    def __init__(self, loadables: Mapping):
        super().__init__(loadables=loadables, custom_hooks={UPSTREAMS: load_upstreams})

    def collect_files(self, default_source=None, **options) -> dict:
        """Fetch the files as SpeechBrain does. Parameters and result are the same."""
        if isinstance(default_source, FetchSource):
            weights = FetchSource(default_source.FetchFrom, f"{default_source.path}/{WEIGHTS}")
        else:
            weights = f"{default_source}/{WEIGHTS}"
        self.add_paths({UPSTREAMS: weights})
        return super().collect_files(default_source, **options)


def load_upstreams(embedding: WaveformEmbedding, path: str) -> None:
    """Load the weights of upstreams, from model.safetensors of a bundle."""
    take_carried(embedding.model, load_file(path))


class LogProbabilities(nn.Module):
    """From embeddings [batch, embedding_size] to log posteriors or log probabilities of existence [batch, K]."""

    def __init__(self, config: dict):
        super().__init__()
        described = Architecture.model_validate(config)
        with torch.random.fork_rng(devices=[]):  # new weights, which are replaced, take nothing from the global generator
            self.model = nn.ModuleDict({"classifier": build_classifier(described.classifier)})  # the names of its weights in a bundle
        self.output = OUTPUTS[described.output]

    def forward(self, embeddings: Tensor) -> Tensor:
        logits = self.model["classifier"](embeddings).float()
        check_finite(logits, "waveforms")
        return self.output.log_probabilities(logits)


def samples_from_relative(relative_lengths: Tensor, longest: int) -> Tensor:
    """Return SpeechBrain's relative lengths as numbers of samples, integers on the CPU.

    >>> import torch
    >>> samples_from_relative(torch.tensor([1.0, 1 / 3]), 30000).tolist()
    [30000, 10000]
    """
    return (relative_lengths.double().cpu() * longest).round().long()
