"""Two tasks on one layer: which emotion is dominant, and which emotions any listener heard."""

import torch
from torch import Tensor, nn


class MultitaskClassifier(nn.Module):
    """Dense, ReLU, and a dense layer for each of two tasks. The answer is that of the first task.

    Parameters
    ----------
    embedding_size : dimensions of the embedding
    n_emotions : K, the number of target emotions
    hidden_size : units of the layer that the tasks share
    """

    def __init__(self, embedding_size: int, n_emotions: int, hidden_size: int):
        super().__init__()
        self.settings = {"embedding_size": embedding_size, "n_emotions": n_emotions, "hidden_size": hidden_size}
        self.hidden = nn.Linear(embedding_size, hidden_size)
        self.primary = nn.Linear(hidden_size, n_emotions)
        self.secondary = nn.Linear(hidden_size, n_emotions)

    def forward(self, embeddings: Tensor, all_outputs: bool = False) -> Tensor:
        """Return logits for embeddings [batch, embedding_size].

        Parameters
        ----------
        embeddings : [batch, embedding_size]
        all_outputs : False for the logits of the first task [batch, K], True for those of both [batch, 2, K]
        """
        shared = self.hidden(embeddings).relu()
        primary = self.primary(shared)
        return torch.stack([primary, self.secondary(shared)], dim=1) if all_outputs else primary
