"""What the heads of table 3 add to the encoders that it cannot avoid: from the seconds that trained stages noted.

python benchmarks/table3_fold.py RESULTS       the folder of a corpus below --results, with all rows of some folds
"""

import sys
from collections import defaultdict

from mlee_sb.stage_folder import REQUIRED, folders_below

ENCODERS, HEADS = 5, 8  # of a fold of table 3


def main(results: str) -> None:
    """Print seconds of the encoders, of all stages, and their ratio, for each fold that is complete; say which are not."""
    seconds: dict[int, dict[str, list[float]]] = defaultdict(lambda: {"encoders": [], "heads": []})
    for stage in folders_below(results):
        summary, is_head = stage.read_summary(), any(name.startswith(REQUIRED) for name in stage.read_identity())
        seconds[summary.fold]["heads" if is_head else "encoders"].append(summary.seconds)
    complete = {}
    for fold, found in sorted(seconds.items()):
        if (len(found["encoders"]), len(found["heads"])) == (ENCODERS, HEADS):
            complete[fold] = found
        else:
            counts = f"{len(found['encoders'])} encoders and {len(found['heads'])} heads"
            print(f"fold {fold:3}  left out: {counts}, and a fold of one seed has {ENCODERS} and {HEADS}")
    totals = [(sum(found["encoders"]), sum(found["heads"])) for found in complete.values()]
    for fold, (encoders, heads) in zip(complete, totals, strict=True):
        print(f"fold {fold:3}  encoders {encoders:7.0f} s  all {encoders + heads:7.0f} s  {1 + heads / encoders:.3f}")
    if not totals:
        sys.exit(f"{results}: no fold with all stages of table 3")
    encoders, heads = map(sum, zip(*totals, strict=True))
    print(f"{len(totals)} folds  encoders {encoders:7.0f} s  all {encoders + heads:7.0f} s  {1 + heads / encoders:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
