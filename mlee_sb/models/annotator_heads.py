"""One head for each annotator on a layer that they share (Davani, Díaz and Prabhakaran 2022)."""

import math

from torch import Tensor, nn

from mlee_sb.errors import InputError


class AnnotatorHeads(nn.Module):
    """Dense, ReLU, and for each annotator a dense layer of their own. The answer is the mean of the posteriors of all annotators.

    Davani, Díaz and Prabhakaran 2022, "Dealing with disagreements: looking beyond the majority vote in subjective annotations",
    Transactions of the Association for Computational Linguistics 10: a task for each annotator on a representation that they share. Only
    the abstract was at hand. [choice] The shared dense layer, which is needed where the encoder is frozen, and the mean of the posteriors.

    Parameters
    ----------
    embedding_size : dimensions of the embedding
    n_emotions : K, the number of target emotions
    n_annotators : A, the number of annotators
    hidden_size : units of the layer that the annotators share
    """

    def __init__(self, embedding_size: int, n_emotions: int, n_annotators: int, hidden_size: int):
        super().__init__()
        self.settings = {
            **{"embedding_size": embedding_size, "n_emotions": n_emotions},
            **{"n_annotators": check_annotators(n_annotators), "hidden_size": hidden_size},
        }
        self.hidden = nn.Linear(embedding_size, hidden_size)
        self.heads = nn.Linear(hidden_size, n_annotators * n_emotions)

    def work(self) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance, as `mlee_sb.models.encoders.base.Encoder.work` does."""
        hidden, outputs = self.settings["hidden_size"], self.heads.out_features
        return hidden + 2 * outputs, hidden * (self.settings["embedding_size"] + outputs)

    def forward(self, embeddings: Tensor, all_outputs: bool = False) -> Tensor:
        """Return logits for embeddings [batch, embedding_size].

        Parameters
        ----------
        embeddings : [batch, embedding_size]
        all_outputs : False for the answer [batch, K], True for the logits of each annotator [batch, A, K]
        """
        shape = (self.settings["n_annotators"], self.settings["n_emotions"])
        logits = self.heads(self.hidden(embeddings).relu()).unflatten(-1, shape)
        return logits if all_outputs else mean_answer(logits)


def mean_answer(logits: Tensor) -> Tensor:
    """Return the logarithm of the mean posterior over all annotators [batch, K], which are logits, from their logits [batch, A, K]."""
    return logits.log_softmax(dim=-1).logsumexp(dim=1) - math.log(logits.shape[1])


def check_annotators(n_annotators: int) -> int:
    """Return the number of annotators. Raise an InputError if there is none to have an answer from."""
    if n_annotators < 1:
        raise InputError(f"n_annotators is {n_annotators}, and must be 1 or more")
    return n_annotators
