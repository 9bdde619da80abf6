"""What a trained model says in the place of each annotator, for the votes of the test set."""

import numpy as np
import pandas as pd
import torch

from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.stage_folder import ANNOTATOR_COLUMNS
from mlee_sb.training.annotators import annotator_votes
from mlee_sb.training.data import FixedDataset, WaveformDataset, make_loader
from mlee_sb.training.inputs import StageInputs
from mlee_sb.training.stage import Stage


@torch.no_grad()
def annotator_answers(
    stage: Stage, inputs: StageInputs, model: EmotionModel, test: WaveformDataset | FixedDataset, device: str
) -> pd.DataFrame:
    """Return the content of annotators.csv (`mlee_sb.stage_folder.StageFolder.write_annotators`).

    Parameters
    ----------
    stage, inputs : a stage that learns each annotator, and its data
    model : with the weights of the best epoch
    test : the test set; of a final fold, it is empty
    device : a torch device
    """
    votes = annotator_votes(stage, inputs.test, list(inputs.annotators))  # [n, M, 3]
    annotators, emotions = (torch.from_numpy(votes[..., column]).long() for column in (0, 1))
    posteriors = torch.zeros(*annotators.shape, inputs.n_emotions)  # [n, M, K], of the annotator of each vote
    model.to(device).eval()
    batches = make_loader(test, stage.settings["batch_size"], stage.settings["num_workers"]) if len(test) else ()
    for batch in batches:
        embeddings = model.encoder.learned(upload(batch.inputs, device), batch.lengths)
        of_all = model.classifier(embeddings, all_outputs=True).float().softmax(dim=-1).cpu()  # [batch, A, K]
        posteriors[batch.items] = of_all.take_along_dim(annotators[batch.items].unsqueeze(-1), dim=1)
    row, place = np.nonzero(votes[..., 2])
    names = np.array([*stage.settings["emotions"]], dtype=object)
    of_vote = posteriors[row, place]  # [votes, K]
    values = (
        inputs.test["ID"].to_numpy()[row],
        np.array(inputs.annotators, dtype=object)[annotators[row, place]],
        names[emotions[row, place]],
        names[of_vote.argmax(dim=-1)],
        of_vote.gather(-1, emotions[row, place].unsqueeze(-1)).squeeze(-1).numpy(),
    )
    return pd.DataFrame(dict(zip(ANNOTATOR_COLUMNS, values, strict=True)))
