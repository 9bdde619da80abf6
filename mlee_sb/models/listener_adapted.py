"""One classifier that hears as each listener does, told by a code who listens (Ando et al. 2021)."""

import torch
from torch import Tensor, nn

from mlee_sb.models.annotator_heads import check_annotators, mean_answer


class ListenerAdapted(nn.Module):
    """Dense, ReLU, dense, of which the first layer also takes a code of the listener that is learnt. The answer is the mean over listeners.

    For listener l: logits = V relu(W x + U c[l] + b) + d, with the embedding x of the utterance and the code c[l].

    Ando, Mori, Kobashikawa and Toda 2021, "Speech emotion recognition based on listener adaptive models" (ICASSP) and "... based on
    listener-dependent emotion perception models" (APSIPA Transactions on Signal and Information Processing 10). Only the abstracts were at
    hand. From them are: a one-hot code of the listener as a further input, the posterior of each listener, and the mean of the posteriors
    for what most listeners hear. (U times a one-hot code is a sum of rows; here U c[l], with a short learnt code, has fewer parameters.)
    [choice] One layer is adapted, by a sum. The papers adapt several, and also try fine-tuning for each listener and a weighting of
    sub-layers.

    Parameters
    ----------
    embedding_size : dimensions of the embedding
    n_emotions : K, the number of target emotions
    n_annotators : A, the number of listeners
    hidden_size : units of the first dense layer
    code_size : dimensions of the code of a listener
    """

    def __init__(self, embedding_size: int, n_emotions: int, n_annotators: int, hidden_size: int, code_size: int):
        super().__init__()
        self.settings = {
            **{"embedding_size": embedding_size, "n_emotions": n_emotions, "n_annotators": check_annotators(n_annotators)},
            **{"hidden_size": hidden_size, "code_size": code_size},
        }
        self.codes = nn.Parameter(torch.randn(n_annotators, code_size))
        self.adapt = nn.Linear(code_size, hidden_size, bias=False)
        self.hidden = nn.Linear(embedding_size, hidden_size)
        self.output = nn.Linear(hidden_size, n_emotions)

    def work(self) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance, as `mlee_sb.models.encoders.base.Encoder.work` does."""
        s = self.settings
        of_all = s["n_annotators"] * s["hidden_size"]
        return 2 * of_all + 2 * s["n_annotators"] * s["n_emotions"], of_all * (s["code_size"] + s["n_emotions"])

    def forward(self, embeddings: Tensor, all_outputs: bool = False) -> Tensor:
        """Return logits for embeddings [batch, embedding_size].

        Parameters
        ----------
        embeddings : [batch, embedding_size]
        all_outputs : False for the answer [batch, K], True for the logits of each listener [batch, A, K]
        """
        hidden = self.hidden(embeddings).unsqueeze(1) + self.adapt(self.codes)  # [batch, A, hidden_size]
        logits = self.output(hidden.relu())
        return logits if all_outputs else mean_answer(logits)
