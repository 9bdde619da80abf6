"""Make predictions of waveforms: what `predict`, `predict_many`, `timeline` and `stream` of the classifier have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.inference.answers import MIN_SPEECH, AnyModel, Asked, Prediction, make_predictions, prediction_without_speech
from mlee_sb.inference.audio_input import Sound, load_utterance
from mlee_sb.inference.speech_gate import Gate, make_gate, share_of_speech
from mlee_sb.models.device import upload


@dataclass(frozen=True)
class Predictor:
    """A model, where it runs, and what is asked of it.

    Attributes
    ----------
    model : in eval mode, on `device`
    device : name of a torch device, for example ``"cuda:0"``
    asked : what is asked besides the answer

    Raises
    ------
    InputError
        if a limit of uncertainty is asked for, and the model does not know its uncertainty
    """

    model: AnyModel
    device: str
    asked: Asked

    def __post_init__(self):
        if self.asked.max_uncertainty is not None and not self.model.output.knows_concentration:
            raise InputError(
                f"max_uncertainty is {self.asked.max_uncertainty}, and this model does not know its uncertainty: leave it out, give a "
                "min_confidence, or use a model that was trained with the target dirichlet"
            )

    def load(self, sound: Sound) -> Tensor:
        """Read one utterance, as `load_utterance` does: waveform [samples] at the model's sample rate."""
        return load_utterance(sound, self.model.sample_rate, self.model.min_samples)

    def new_gate(self) -> Gate:
        """Return a new gate of the kind that was asked for, at the model's sample rate."""
        return make_gate(self.asked.gate, self.model.sample_rate)

    def share_of_speech(self, waveform: Tensor) -> float:
        """Return the share of a waveform [samples] that is speech, 0 to 1."""
        gate = self.new_gate()
        return share_of_speech(gate.speech([*gate.feed(waveform), *gate.finish()]))

    def predict(self, waveform: Tensor, speech: float, name: str) -> Prediction:
        """Make the prediction of one waveform.

        Parameters
        ----------
        waveform : [samples] at the model's sample rate
        speech : the share of it that is speech
        name : what an error calls it

        Raises
        ------
        InputError
            if the model's answer is not finite; the message begins with `name`
        """
        if speech < MIN_SPEECH:
            return self.without_speech(waveform, speech)
        (prediction,) = self.predict_batch(waveform.unsqueeze(0), torch.tensor([len(waveform)]), [speech], [name])
        if isinstance(prediction, InputError):
            raise prediction
        return prediction

    def without_speech(self, waveform: Tensor, speech: float) -> Prediction:
        """Return the prediction of a waveform [samples] with too little speech: the model is not asked."""
        return prediction_without_speech(self.model, self.asked, speech, len(waveform) / self.model.sample_rate)

    @torch.no_grad()
    def predict_batch(
        self, waveforms: Tensor, n_samples: Tensor, speech: Sequence[float], names: Sequence[str]
    ) -> list[Prediction | InputError]:
        """Make the predictions of several waveforms with speech; an answer that is not finite is replaced by its error.

        Parameters
        ----------
        waveforms : [batch, samples] at the model's sample rate, padded at the end
        n_samples : [batch], samples of each without padding, integers on the CPU
        speech : [batch], the share of each that is speech
        names : [batch], what an error calls each
        """
        logits, presence = self.model.logits(upload(waveforms, self.device), n_samples)
        presence = None if presence is None else presence.cpu().numpy()
        seconds = (n_samples.double() / self.model.sample_rate).tolist()
        return make_predictions(self.model, logits.cpu().numpy(), presence, self.asked, speech, seconds, names)
