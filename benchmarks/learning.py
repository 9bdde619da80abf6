"""Does what is fast learn as well? The MLEE encoder of fold 1, plain and ours, from the same first weights and in the same batches.

python benchmarks/learning.py reference|ours_fp32|ours_bf16 MANIFESTS DATA_FOLDER [SEED ...]

MANIFESTS is what `recipes/prepare.py` wrote. Prints the validation loss after each epoch, a line a seed.
"""

import sys

import corpus
import torch
from reference.model import ReferenceEncoder, take_weights
from torch import nn
from training_step import BATCH, SIZE, adam, our_encoder, our_head, step

from mlee_sb.corpora.manifest import read_fold, read_protocol, vote_columns
from mlee_sb.targets import find_target
from mlee_sb.training.data import Batch, WaveformDataset, make_loader
from mlee_sb.training.memory import keep_freed_memory

EPOCHS, LR = 3, 2e-4  # the second as in hparams/mlee.yaml


def losses_of(which: str, manifests: str, data_folder: str, seed: int) -> list[float]:
    """Validation loss after each epoch."""
    emotions, splits = read_protocol(manifests)["emotions"], read_fold(manifests, 1)
    target, settings = find_target("existence"), {"emotions": emotions, "min_votes": 1, "full_votes": 1}  # every utterance can be used
    labels = {
        name: target.labels(split["dominant"], split[vote_columns(emotions)].to_numpy(), settings)[0] for name, split in splits.items()
    }
    weights = torch.as_tensor(target.class_weights(labels["train"], splits["train"]["dominant"], settings), dtype=torch.float32)
    torch.manual_seed(seed)
    encoder, head = our_encoder(), our_head(SIZE, len(emotions))
    train, valid = (
        WaveformDataset(splits[name], data_folder, encoder, torch.from_numpy(labels[name]).float(), speeds)
        for name, speeds in {"train": corpus.SPEEDS, "valid": (1.0,)}.items()
    )
    encoder.fit_statistics((batch.inputs, batch.lengths) for batch in make_loader(train, BATCH, 0))
    network: nn.Module = encoder
    if which == "reference":
        network = ReferenceEncoder(torch.zeros(400), torch.ones(400))
        take_weights(network, encoder)
    model = nn.Sequential(network, head)
    optimizer = adam(model.parameters(), LR, is_ours=which != "reference")

    def losses(batch: Batch) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=which.endswith("bf16") and model.training):
            logits = head(network(batch.inputs, batch.lengths))
        return target.loss(logits.float(), batch.labels, weights)

    found, loader = [], make_loader(train, BATCH, 0, seed)
    for epoch in range(1, EPOCHS + 1):
        loader.sampler.set_epoch(epoch)
        model.train()
        for batch in loader:
            step(model, optimizer, losses(batch).mean())
        model.eval()
        with torch.no_grad():
            found.append(float(torch.cat([losses(batch) for batch in make_loader(valid, BATCH, 0)]).mean()))
    return found


def main(which: str, manifests: str, data_folder: str, *seeds: str) -> None:
    """Print a line a seed."""
    if which != "reference":
        keep_freed_memory()
    for seed in map(int, seeds or "1"):
        print(which, "seed", seed, *(f"{loss:.3f}" for loss in losses_of(which, manifests, data_folder, seed)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
