"""What test_distributed.py has two processes of torchrun do, and one process, for comparison: each saves what came out."""

import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.masking import WholeBatchNorm2d
from mlee_sb.training.brains import HardTargetBrain
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping
from mlee_sb.training.data import FixedDataset, make_loader
from mlee_sb.training.distributed import on_main, process_group, processes
from mlee_sb.training.epoch_log import EpochLog

LENGTHS = torch.tensor([10, 3, 7, 1, 9])  # valid frames: of two processes one has 10, 7 and 9, and the other 3 and 1
UTTERANCES, BATCH_SIZE = 10, 3  # shares of 2 and 1, and at last a single utterance for two


def batch_norm() -> dict:
    """This process's share of a batch through batch normalisation, and back."""
    number, n = processes()
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(len(LENGTHS), 3, 10, 4, generator=generator) for _ in range(2))
    x = x * 2 + 5
    lengths = LENGTHS[number::n]
    x, weight = (
        torch.cat([u[:, :length] for u, length in zip(t[number::n], lengths, strict=True)], dim=1).unsqueeze(0) for t in (x, weight)
    )
    x.requires_grad_()  # [1, channels, valid frames, bins]
    norm = WholeBatchNorm2d(3).train()
    nn.init.uniform_(norm.weight, 1, 2, generator)
    out = norm(x)
    (out * weight).sum().backward()
    valid = list(zip(*(t.squeeze(0).split(lengths.tolist(), dim=1) for t in (out.detach(), x.grad)), strict=True))
    statistics = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    return {"valid": valid, "statistics": statistics, "gradients": torch.stack([norm.weight.grad, norm.bias.grad])}


class Forgetful(Encoder):
    """Embeddings with some left out, and a note of which."""

    def __init__(self, dropout: float):
        super().__init__()
        self.dense, self.dropout = nn.Linear(4, 8), dropout
        self.left_out: list[torch.Tensor] = []

    def learned(self, fixed, lengths):
        kept = nn.functional.dropout(torch.ones(len(fixed), 8), self.dropout, self.training)
        self.left_out += [kept == 0] if self.training else []
        return self.dense(fixed).relu() * kept


def fit(folder: Path, epochs: int, dropout: float = 0.0) -> dict:
    """Train a brain, or go on with it."""
    generator = torch.Generator().manual_seed(1)
    embeddings, classes = torch.randn(UTTERANCES, 4, generator=generator), torch.randint(3, (UTTERANCES,), generator=generator)
    data = FixedDataset(embeddings, nn.functional.one_hot(classes, 3).float(), list(map(str, range(len(classes)))))
    train, valid = (make_loader(data, BATCH_SIZE, 0, seed, processes()) for seed in (1, None))
    torch.manual_seed(0)
    encoder, classifier, stopper = Forgetful(dropout), nn.Linear(8, 3), EarlyStopping(epochs, patience=epochs)
    on_main((folder / "save").mkdir, parents=True, exist_ok=True)
    brain = HardTargetBrain(
        encoder=encoder,
        classifier=classifier,
        class_weights=torch.ones(3),
        settings={"loss_mean": "plain", "embedding_dropout": 0.0, "lr": 0.5},
        epochs=stopper,
        start=0.0,
        say=lambda line: None,
        log=EpochLog(folder / "log.txt"),
        opt_class=partial(torch.optim.SGD, momentum=0.9),
        checkpointer=AtomicCheckpointer(folder / "save", {"encoder": encoder, "classifier": classifier, "epochs": stopper}),
        run_opts={"device": "cpu", "distributed_backend": "gloo"},
    )
    brain.train_sampler = train.sampler
    brain.fit(stopper, train, valid, progressbar=False)
    weights = {**encoder.state_dict(), **{f"classifier.{name}": tensor for name, tensor in classifier.state_dict().items()}}
    weights = {name: tensor.clone() for name, tensor in weights.items()}
    return {"weights": weights, "losses": brain.losses, "logits": brain.predict(valid), "left_out": encoder.left_out}


def ended_by(function) -> str:
    """The name of the error that `function` ends with, in the main process alone."""
    try:
        on_main(function)
    except (InputError, SystemExit) as error:
        return type(error).__name__
    return ""


def refuse() -> None:
    raise InputError("of the main process")


def everything(folder: Path) -> dict:
    """All of the above, in as many processes as there are."""
    fit(folder / "resumed", epochs=1, dropout=0.5)
    return {
        "batch_norm": batch_norm(),
        "fit": fit(folder / "fit", epochs=3),
        "dropout": fit(folder / "dropout", epochs=2, dropout=0.5),
        "resumed": fit(folder / "resumed", epochs=2, dropout=0.5),
        "error": ended_by(refuse),
    }


if __name__ == "__main__":
    out = Path(sys.argv[1])
    with process_group("cpu"):
        number, _ = processes()
        print(f"process {number} speaks")
        torch.save(everything(out), out / f"{number}.pt")
        torch.distributed.barrier()
        if number == 1:  # the other waits for it: torchrun must end both
            raise InputError("of one process alone")
        torch.distributed.barrier()
