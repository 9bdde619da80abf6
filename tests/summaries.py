"""What a finished stage notes of itself."""

from mlee_sb.stage_folder import Summary

SUMMARY = Summary(
    row="mlee",
    variant="lr=0.1",
    train_set="all",
    fold=3,
    seed=1,
    corpus="tones",
    demo=False,
    protocol_hash="12",
    target="existence",
    output="sigmoid",
    class_weights=[[0.5, 1.5]],
    losses={"train": 1.0, "valid": 2.0},
    epochs=4,
    seconds=1.5,
)
