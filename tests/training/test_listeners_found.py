"""Simulated listeners with known styles: what learns each annotator finds the one who hears anger everywhere."""

import numpy as np
import pytest
import torch

from mlee_sb.models.classifiers import CLASSIFIERS
from mlee_sb.targets import find_target

EMOTIONS = ["neu", "hap", "sad", "ang"]
ANGER, ANGRY = EMOTIONS.index("ang"), 2  # the emotion, and the number of the listener who hears it in most utterances
LISTENERS, OF_AN_UTTERANCE = 6, 3
HEARS_ANGER = 0.8
SIZE = 8


def judged(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings [n, SIZE] of utterances that sound like one emotion each, and what three listeners say of each [n, 3, 3].

    A listener hears the emotion in 80 % of the utterances and any of the four in the others. The angry one hears anger in 80 %.
    """
    rng = np.random.default_rng(seed)
    sounds_like = rng.integers(len(EMOTIONS), size=n)
    embeddings = np.eye(len(EMOTIONS), SIZE)[sounds_like] * 2 + rng.normal(0, 0.5, (n, SIZE))
    listeners = np.stack([rng.permutation(LISTENERS)[:OF_AN_UTTERANCE] for _ in range(n)])
    guess, clear = rng.integers(len(EMOTIONS), size=listeners.shape), rng.random(listeners.shape) < HEARS_ANGER
    heard = np.where(clear, np.where(listeners == ANGRY, ANGER, sounds_like[:, None]), guess)
    votes = np.stack([listeners, heard, np.ones(listeners.shape)], axis=-1)
    return torch.tensor(embeddings, dtype=torch.float32), torch.tensor(votes, dtype=torch.float32)


@pytest.mark.parametrize(("target", "sizes"), [("annotator_heads", {}), ("listener_adapted", {"code_size": 4})])
def test_the_listener_who_hears_anger_everywhere_is_found(target, sizes):
    torch.manual_seed(0)
    classifier = CLASSIFIERS[target](SIZE, len(EMOTIONS), LISTENERS, hidden_size=32, **sizes)
    embeddings, votes = judged(600, seed=1)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.02)
    for _ in range(150):
        loss = find_target(target).loss(classifier(embeddings, all_outputs=True), votes, torch.ones(len(EMOTIONS))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    embeddings, votes = judged(600, seed=2)
    with torch.no_grad():
        own = classifier(embeddings, all_outputs=True).argmax(dim=-1)  # [n, LISTENERS]
        for_all = classifier(embeddings).argmax(dim=-1)  # [n]
    rates = (own == ANGER).float().mean(dim=0)
    others = [listener for listener in range(LISTENERS) if listener != ANGRY]
    assert rates[ANGRY] > 0.9 and max(rates[others]) < 0.35
    for listener in range(LISTENERS):
        utterance, place = (votes[..., 0] == listener).nonzero(as_tuple=True)
        said = votes[utterance, place, 1].long()
        right, right_for_all = ((answer == said).float().mean() for answer in (own[utterance, listener], for_all[utterance]))
        assert right > 0.7
        assert right > right_for_all + 0.3 if listener == ANGRY else abs(right - right_for_all) < 0.1
