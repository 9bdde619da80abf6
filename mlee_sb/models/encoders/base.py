"""The base of all encoders (contract 4): a part that never learns, a part that learns, and what a stage needs to know about them."""

import hashlib
from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from mlee_sb.errors import InputError

MEMBERS = ("sample_rate", "min_samples", "embedding_size", "settings", "fixed", "learned", "fit_statistics", "parameter_groups")
PARTS = ("front_end", "upstream")  # arguments of a constructor that are modules: each has its own entry in config.json, not in settings
BASE_RATE = "lr"  # the setting with the learning rate of all parameters that have no other one


class Encoder(nn.Module):
    """The base class of an encoder, from waveforms to embeddings. A package adds one through an entry point in ``mlee_sb.encoders``.

    An utterance has the same embedding alone as in a batch, to 1e-5: `mlee_sb.testing.check_encoder` checks that.

    Attributes
    ----------
    sample_rate : Hz of the waveforms
    min_samples : samples of the shortest waveform that it can take
    embedding_size : dimensions of an embedding
    settings : arguments of the constructor, as JSON holds them; without those of `PARTS`
    """

    sample_rate: int
    min_samples: int
    embedding_size: int
    settings: dict

    def fixed(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the part that never learns. It is computed once for each utterance and speed, and kept on disk.

        By default it is the waveform itself: nothing is computed, and nothing is kept.

        Parameters
        ----------
        waveforms : [batch, samples], padded at the end
        n_samples : [batch], integers on the CPU: samples of each utterance without its padding

        Returns
        -------
        values : [batch, steps, ...], padded at the end. An embedding is [batch, embedding_size]
        lengths : [batch], integers on the CPU: steps of each utterance without padding
        """
        return waveforms, n_samples

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        """Compute embeddings [batch, embedding_size] from the result of `fixed`."""
        raise NotImplementedError

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Return embeddings [batch, embedding_size] of waveforms [batch, samples] with lengths [batch] (integers on the CPU)."""
        return self.learned(*self.fixed(waveforms, n_samples))

    def fit_statistics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Compute statistics of the training set before training, for example for a z-norm. By default nothing is computed.

        Parameters
        ----------
        batches : the results of `fixed` for the training set, pairs of values and lengths
        """

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that learn: setting with their learning rate -> parameters. By default all learn with ``lr``."""
        return {BASE_RATE: list(self.parameters())}

    def attention(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the encoder looks in one utterance (figure 3). An encoder without attention does not define this method.

        Parameters
        ----------
        waveform : [samples]

        Returns
        -------
        weights : [steps], summing to 1
        times : [steps], the middle of each step in seconds
        """
        raise NotImplementedError

    def exportable(self) -> nn.Module:
        """Return a module that computes the same embeddings with the operations of ONNX; by default the encoder itself.

        It takes the same padded waveforms and lengths, of any batch size and any number of samples.
        """
        return self

    def work(self, n_samples: int) -> tuple[int, int]:
        """Return about how many numbers are in memory at one time, and how many products are computed, for one utterance.

        A model of a stranger is refused by them before it is used. By default both are 0: nothing is known.
        """
        return 0, 0

    @property
    def keeps_fixed(self) -> bool:
        """Whether `fixed` computes something. Its results are then kept on disk."""
        return type(self).fixed is not Encoder.fixed

    @property
    def fixed_identity(self) -> dict:
        """What the result of `fixed` depends on besides the waveform, as JSON. Encoders of one class with equal values share that result.

        By default that is all settings, and the sha256 of all parameters and buffers that do not learn.
        """
        learn = {id(parameter) for parameter in learning(self)}
        digest = hashlib.sha256()
        for name, tensor in sorted([*self.named_parameters(), *self.named_buffers()], key=lambda named: named[0]):
            if id(tensor) not in learn:
                digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return {"settings": self.settings, "sha256": digest.hexdigest()}

    def share_with(self, other: "Encoder") -> None:
        """Take what both can use from another encoder of a fusion, of any class, for example a large network. Nothing by default."""

    @property
    def has_attention(self) -> bool:
        """Whether the encoder defines `attention`."""
        return type(self).attention is not Encoder.attention

    @property
    def parts(self) -> list["Encoder"]:
        """The encoders side by side in this one: the encoder itself, or several in a fusion."""
        return [self]


def learning(encoder: Encoder) -> Iterator[nn.Parameter]:
    """Yield the parameters that learn, in the order of their groups."""
    for parameters in encoder.parameter_groups().values():
        yield from parameters


def check_members(encoder: nn.Module) -> None:
    """Check, before training, that an encoder has all members of contract 4.

    Raises
    ------
    InputError
        if one is missing or wrong: the message names the class and the member
    """
    kind = f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    if not isinstance(encoder, Encoder):
        raise InputError(f"{kind}: is no encoder: it must be a subclass of mlee_sb.models.encoders.base.Encoder")
    for member in MEMBERS:
        if getattr(encoder, member, None) is None:
            raise InputError(f"{kind}: has no {member}: an encoder needs {', '.join(MEMBERS)}")
    if type(encoder).learned is Encoder.learned:
        raise InputError(f"{kind}: has no learned: give it learned(fixed, lengths), which returns embeddings [batch, embedding_size]")
    for member in ("sample_rate", "min_samples", "embedding_size"):
        value = getattr(encoder, member)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{kind}: {member} is {value!r}, and must be a whole number above 0")
    if not isinstance(encoder.settings, dict):
        raise InputError(f"{kind}: settings is {encoder.settings!r:.100}, and must be a dictionary with the arguments of its constructor")
    groups = encoder.parameter_groups()
    if not isinstance(groups, dict) or not all(isinstance(name, str) and name.startswith(BASE_RATE) for name in groups):
        raise InputError(f"{kind}: parameter_groups must return a dictionary, from settings that begin with {BASE_RATE!r} to parameters")
