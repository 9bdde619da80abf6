#!/usr/bin/env python
"""Train every row of the paper's table 3, for both targets and train sets, on every fold. Each stage is trained once.

python recipes/table3.py --corpus iemocap --data_folder /data/IEMOCAP_full_release
python recipes/table3.py --rows mlee mlee_fusion --targets soft --train_sets all --seeds 1 2 3 --mlee.lr 0.0001
python recipes/table3.py --dry-run        shows what would be trained

Stopped with Ctrl-C or killed, the same command goes on where it was, and reuses what is finished.
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.table3", sys.argv[1:], description=__doc__))
