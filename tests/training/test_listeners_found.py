"""Simulated listeners with known styles: what learns each annotator finds the one who hears anger everywhere."""

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mlee_sb.demo.annotators import EVALUATORS, STYLES
from mlee_sb.demo.plan import Settings, plan_release
from mlee_sb.models.classifiers import CLASSIFIERS
from mlee_sb.targets import find_target
from mlee_sb.targets.annotator_votes import annotator_labels

EMOTIONS = ["neu", "hap", "sad", "ang"]
ANGER, ANGRY = EMOTIONS.index("ang"), 2  # the emotion, and the number of the listener who hears it in most utterances
LISTENERS, OF_AN_UTTERANCE = 6, 3
HEARS_ANGER = 0.8
SIZE = 8
KINDS = [("annotator_heads", {}), ("listener_adapted", {"code_size": 4})]  # and what their classifiers need besides


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


def learnt(target: str, sizes: dict, embeddings: torch.Tensor, votes: torch.Tensor, n_annotators: int) -> nn.Module:
    """The classifier of a target, trained on votes with its loss."""
    torch.manual_seed(0)
    classifier = CLASSIFIERS[target](embeddings.shape[1], len(EMOTIONS), n_annotators, hidden_size=32, **sizes)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.02)
    for _ in range(150):
        loss = find_target(target).loss(classifier(embeddings, all_outputs=True), votes, torch.ones(len(EMOTIONS))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return classifier


@torch.no_grad()
def judged_by(classifier: nn.Module, embeddings: torch.Tensor, votes: torch.Tensor) -> tuple[list[float], list[tuple[float, float]]]:
    """How often each annotator's own answer is anger; and for their votes, how often their own answer and the answer for all are right."""
    own, for_all = classifier(embeddings, all_outputs=True).argmax(dim=-1), classifier(embeddings).argmax(dim=-1)  # [n, A] and [n]
    right = []
    for annotator in range(own.shape[1]):
        utterance, place = ((votes[..., 0] == annotator) & (votes[..., 2] > 0)).nonzero(as_tuple=True)
        said = votes[utterance, place, 1].long()
        right.append(tuple((answer == said).float().mean().item() for answer in (own[utterance, annotator], for_all[utterance])))
    return (own == ANGER).float().mean(dim=0).tolist(), right


@pytest.mark.parametrize(("target", "sizes"), KINDS)
def test_the_listener_who_hears_anger_everywhere_is_found(target, sizes):
    classifier = learnt(target, sizes, *judged(600, seed=1), n_annotators=LISTENERS)
    angry, right = judged_by(classifier, *judged(600, seed=2))
    assert angry.pop(ANGRY) > 0.9 and max(angry) < 0.35
    own, for_all = right.pop(ANGRY)
    assert own > for_all + 0.3
    assert all(abs(own - for_all) < 0.2 for own, for_all in right), "the others hear alike, so the answer for all knows them"


def of_the_demo(sessions: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """The prosody of the turns in some sessions of a long DEMO release [n, 10], and the votes of its listeners [n, M, 3], without sound."""
    turns = [turn for turn in plan_release(Settings(utterances_per_speaker=120)) if turn.speaker.session in sessions]
    votes = [(turn.id, vote.annotator, code) for turn in turns for vote in turn.judgement.votes for code in vote.codes]
    prosody = torch.tensor([astuple(turn.prosody) for turn in turns], dtype=torch.float32)
    frame = pd.DataFrame(votes, columns=["ID", "annotator", "label"])
    labels = annotator_labels(frame, [turn.id for turn in turns], EMOTIONS, EVALUATORS)
    heard = labels[..., 2].any(axis=1)  # a target emotion, by anybody
    return prosody[heard], torch.tensor(labels[heard], dtype=torch.float32)


@pytest.mark.parametrize(("target", "sizes"), KINDS)
def test_the_angry_listener_of_the_demo_release_is_found_from_prosody(target, sizes):
    """Sessions 1 to 4 are learnt; the speakers of session 5 are new."""
    prosody, votes = of_the_demo((1, 2, 3, 4))
    mean, std = prosody.mean(dim=0), prosody.std(dim=0)
    classifier = learnt(target, sizes, (prosody - mean) / std, votes, n_annotators=len(EVALUATORS))
    prosody, votes = of_the_demo((5,))
    angry, right = judged_by(classifier, (prosody - mean) / std, votes)
    number = EVALUATORS.index(next(iter(STYLES)))
    assert angry[number] > 0.6 and max(angry[:number] + angry[number + 1 :]) < 0.4
    assert right[number][0] > right[number][1] + 0.2
