"""The dense head (table 2): from an embedding to one logit for each emotion."""

from torch import Tensor, nn


class DenseClassifier(nn.Module):
    """Dense, ReLU, dense. The loss and `EmotionModel` apply softmax or sigmoid.

    Parameters
    ----------
    embedding_size : dimensions of the embedding (256; 512 for a fusion of two)
    n_emotions : K, the number of target emotions
    hidden_size : units of the first dense layer
    """

    def __init__(self, embedding_size: int, n_emotions: int, hidden_size: int):
        super().__init__()
        self.settings = {"embedding_size": embedding_size, "n_emotions": n_emotions, "hidden_size": hidden_size}
        self.hidden = nn.Linear(embedding_size, hidden_size)
        self.output = nn.Linear(hidden_size, n_emotions)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return logits [batch, n_emotions] for embeddings [batch, embedding_size]."""
        return self.output(self.hidden(embeddings).relu())
