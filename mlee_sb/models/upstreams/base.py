"""What the networks of all families share: which utterances are computed together, which layers are kept, and which of them learn."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from mlee_sb.errors import InputError
from mlee_sb.models.config import MODEL_TYPE, MOST_LAYERS
from mlee_sb.models.estimate import check_estimate
from mlee_sb.models.masking import valid_frames

FINAL_NORM = "final_norm"  # entry of a config: False where layers were cut away, and with them the norm after the last layer
SAMPLE_RATE = "sampling_rate"  # entry of a processor, in Hz
LARGEST_SETTING = 2**18  # of the whole numbers of a processor
MOST_BINS = 2**10  # of a spectrum


class Network(nn.Module):
    """The network of a pretrained speech encoder, from waveforms to its hidden states. Nothing of it learns, unless `tune` says so.

    An utterance has the same hidden states alone as in a batch. On a CPU, utterances are computed one after another: the results are the
    same to the last bit, and no time is lost for padding. On a GPU, utterances of one length are computed together, and those of several
    lengths where the family takes a mask and is exact with it. Results then differ by rounding: by a few millionths of the largest value.

    Attributes
    ----------
    config : ``model_type`` and the settings of the architecture, as JSON
    processor : the settings of what is computed before the network, as JSON
    model : the modules that hold the weights, named as transformers names them
    sample_rate : Hz of the waveforms
    min_samples : samples of the shortest waveform, which gives one step
    step_seconds : seconds from one step to the next
    n_layers : transformer layers
    size : dimensions of a hidden state
    """

    SETTINGS: tuple[str, ...]  # of the config of transformers: those that change the hidden states
    PROCESSOR: Mapping[str, int | bool | str]  # settings of the processor, with the defaults of transformers
    LAYERS, SIZE = "num_hidden_layers", "hidden_size"  # names of settings

    sample_rate: int
    min_samples: int
    step_seconds: float

    def __init__(self, config: Mapping, processor: Mapping):
        super().__init__()
        self.processor = self._checked(processor)
        known = {name: value for name, value in config.items() if name not in (MODEL_TYPE, FINAL_NORM)}
        if unknown := known.keys() - set(self.SETTINGS):
            raise InputError(f"{config[MODEL_TYPE]}: takes no {', '.join(sorted(unknown))}")
        if not 0 <= known.get(self.LAYERS, 1) <= MOST_LAYERS:
            raise InputError(f"{self.LAYERS} is {known[self.LAYERS]}, and must be 0 to {MOST_LAYERS}")
        made, self.model = self._build(known)
        self.config = {MODEL_TYPE: config[MODEL_TYPE], **{name: _json(getattr(made, name)) for name in self.SETTINGS}}
        if not config.get(FINAL_NORM, True):
            self._drop_final_norm()
        self.sample_rate = self.processor[SAMPLE_RATE]
        self.size = self.config[self.SIZE]
        self._tuned = 0

    def _checked(self, processor: Mapping) -> dict:
        """Return the settings of the processor, the defaults filled in."""
        if unknown := processor.keys() - self.PROCESSOR.keys():
            raise InputError(f"processor: takes no {', '.join(sorted(unknown))}")
        settings = {**self.PROCESSOR, **processor}
        for name, value in settings.items():
            right = type(value) is type(self.PROCESSOR[name]) and (type(value) is not int or 0 < value <= LARGEST_SETTING)
            if not right:
                raise InputError(f"processor: {name} is {value!r:.40}, and must be like {self.PROCESSOR[name]!r}")
        return settings

    # What a family defines

    def _build(self, config: dict) -> tuple:
        """Return the config (an object with the settings as attributes), and the modules with new weights."""
        raise NotImplementedError

    @property
    def _body(self) -> nn.Module:
        """The module with the transformer layers, `layers`."""
        return self.model.encoder

    @property
    def _final_norm(self) -> str | None:
        """The name of the norm after the last layer in `_body`; None if there is none."""
        return None

    @property
    def _takes_masks(self) -> bool:
        """Whether utterances of several lengths can be computed together, with the results that they have alone."""
        raise NotImplementedError

    def _pieces(self, n_samples: int) -> list[int]:
        """Return the lengths in samples of the pieces in which an utterance is computed."""
        return [n_samples]

    def n_steps(self, n_samples: int) -> int:
        """Return the number of steps of a piece."""
        raise NotImplementedError

    def _features(self, waveform: Tensor) -> Tensor:
        """Return what the network takes of a piece [samples]: its samples, or frames [frames, bins]."""
        raise NotImplementedError

    def _first_state(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the input of the first layer [batch, steps, size], and the steps of each piece that layers may look at [batch]."""
        raise NotImplementedError

    def _next_states(self, state: Tensor, valid: Tensor | None, n: int):
        """Yield the outputs of the first n layers. `valid` is a mask [batch, steps], None where all have one length."""
        mask = None if valid is None else valid[:, None, None, :]
        for layer in self._body.layers[:n]:
            state = layer(state, attention_mask=mask)
            yield state

    def _work(self, n_samples: int) -> tuple[int, int]:
        """Return numbers in memory and products of an utterance before the first layer, with the numbers of one attention."""
        raise NotImplementedError

    # What all have

    def _check_work(self) -> None:
        """Refuse settings with which a second of audio takes much more than with those of any published model."""
        check_estimate(f"{self.config} with {self.processor}", *self._work(max(self.sample_rate, self.min_samples)))

    @property
    def n_layers(self) -> int:
        """The number of transformer layers."""
        return len(self._body.layers)

    @property
    def facts(self) -> dict[str, int | float]:
        """What others need to know before the network is there: entries of `mlee_sb.models.config.UpstreamConfig`."""
        return {fact: getattr(self, fact) for fact in ("sample_rate", "min_samples", "step_seconds", "n_layers", "size")}

    def forward(self, waveforms: Tensor, n_samples: Tensor, layers: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Compute hidden states of a batch.

        Parameters
        ----------
        waveforms : [batch, samples], padded at the end with anything
        n_samples : [batch], integers on the CPU: samples of each utterance without its padding
        layers : numbers of hidden states: 0 is the input of the first layer, `n_layers` what the last layer and the final norm give

        Returns
        -------
        states : for each of `layers` [batch, steps, size]; zeros past the end of an utterance
        n_steps : [batch], integers on the CPU: steps of each utterance

        Raises
        ------
        InputError
            if an utterance is shorter than `min_samples`, or if there is no such layer
        """
        if wrong := [layer for layer in layers if not 0 <= layer <= self.n_layers]:
            raise InputError(f"hidden state {wrong[0]}: give 0 to {self.n_layers}, because the upstream has {self.n_layers} layers")
        if (shortest := int(n_samples.min())) < self.min_samples:
            raise InputError(
                f"an utterance of {shortest} samples is shorter than one step of the upstream ({self.min_samples} samples): leave it out"
            )
        utterances = [waveform[:n].split(self._pieces(n)) for waveform, n in zip(waveforms, n_samples.tolist(), strict=True)]
        found: dict[int, list[Tensor]] = {}  # row -> for each layer [steps, size]
        for rows in self._batches(utterances):
            if len(rows) > 1:
                found |= zip(rows, self.together([utterances[row][0] for row in rows], layers), strict=True)
            else:
                pieces = [self.together([piece], layers)[0] for piece in utterances[rows[0]]]
                found[rows[0]] = [torch.cat(states) for states in zip(*pieces, strict=True)]
        by_row = [found[row] for row in range(len(utterances))]
        n_steps = torch.tensor([len(states[0]) for states in by_row])
        return [pad_sequence(list(states), batch_first=True) for states in zip(*by_row, strict=True)], n_steps

    def _batches(self, utterances: list[tuple[Tensor, ...]]) -> list[list[int]]:
        """Return the rows of utterances that are computed together. One in several pieces is computed alone, piece by piece."""
        on_cpu = utterances[0][0].device.type == "cpu"
        batches: dict[object, list[int]] = {}
        for row, pieces in enumerate(utterances):
            alone = on_cpu or len(pieces) > 1
            length = "any" if self._takes_masks else len(pieces[0])
            batches.setdefault(("row", row) if alone else length, []).append(row)
        return list(batches.values())

    def together(self, utterances: list[Tensor], layers: Sequence[int]) -> list[list[Tensor]]:
        """Compute utterances in one batch: of one length, or of any lengths if the network takes masks.

        Parameters
        ----------
        utterances : waveforms [samples], none longer than a piece
        layers : as for `forward`

        Returns
        -------
        list of list of Tensor
            for each utterance, for each layer, [steps, size]
        """
        with torch.autocast(utterances[0].device.type, enabled=False):
            features = [self._features(waveform.float()) for waveform in utterances]
        state, in_use = self._first_state(features)
        valid = valid_frames(in_use, state.shape[1], state.device) if len(in_use.unique()) > 1 else None
        states = self.states(state, valid, layers)
        lengths = [self.n_steps(len(waveform)) for waveform in utterances]
        return [[state[row, :n] for state in states] for row, n in enumerate(lengths)]

    def states(self, first: Tensor, valid: Tensor | None, layers: Sequence[int]) -> list[Tensor]:
        """Compute hidden states, each [batch, steps, size], from the input of the first layer.

        Parameters
        ----------
        first : [batch, steps, size]
        valid : mask [batch, steps] of the steps that layers may look at; None for all
        layers : as for `forward`
        """
        states = {0: first}
        states |= enumerate(self._next_states(first, valid, max(layers)), start=1)
        if self.n_layers in layers and self._final_norm:
            states[self.n_layers] = getattr(self._body, self._final_norm)(states[self.n_layers])
        return [states[layer] for layer in layers]

    def cut(self, last: int) -> None:
        """Remove the transformer layers above the hidden state `last`. They are neither computed nor stored any more.

        `config` then describes the smaller network. The final norm goes with the last layer, so hidden states keep their values.
        """
        if not 0 <= last <= self.n_layers:
            raise InputError(f"hidden state {last}: give 0 to {self.n_layers}, because the upstream has {self.n_layers} layers")
        if last < self.n_layers:
            del self._body.layers[last:]
            self.config[self.LAYERS] = last
            self._drop_final_norm()

    def _drop_final_norm(self) -> None:
        self.config[FINAL_NORM] = False
        if self._final_norm:
            setattr(self._body, self._final_norm, nn.Identity())

    def top(self, n: int) -> nn.ModuleList:
        """Return the last n transformer layers, and the final norm where there is one: what fine-tuning learns."""
        if not 0 <= n <= self.n_layers:
            raise InputError(f"the last {n} layers: give 0 to {self.n_layers}, because the upstream has {self.n_layers} layers")
        if n == 0:
            return nn.ModuleList()
        norm = [getattr(self._body, self._final_norm)] if self._final_norm else []
        return nn.ModuleList([*self._body.layers[-n:], *norm])

    def tune(self, n: int, checkpointing: bool = False) -> None:
        """Let the last n layers learn, and no others.

        In training they have the dropout of the upstream's config. All other layers stay in eval mode.

        Parameters
        ----------
        n : layers from the top; 0: none
        checkpointing : whether activations are computed again for the gradients, which takes time and saves memory
        """
        tuned = self.top(n)
        self._tuned = n
        self.requires_grad_(False)
        tuned.requires_grad_(True)
        for layer in self._body.layers:
            layer.gradient_checkpointing = checkpointing and any(layer is one for one in tuned)
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        """Leave all in eval mode, except the layers that learn. Returns the network."""
        super().train(False)
        self.training = mode
        self.top(self._tuned).train(mode)
        return self


def at_most(name: str, value: int, most: int) -> None:
    """Refuse a setting that would take too much memory. A config may come from a stranger."""
    if value > most:
        raise InputError(f"{name} is {value}, and may be {most} at most")


def normalised(waveform: Tensor, epsilon: float = 1e-7) -> Tensor:
    """Return a waveform [samples] with zero mean and unit variance, as the feature extractors of transformers do it."""
    exact = waveform.double()  # in float32 the mean of a long utterance is rounded
    return ((exact - exact.mean()) / (exact.var(correction=0) + epsilon).sqrt()).float()


def _json(value):
    return list(value) if isinstance(value, tuple) else value
