#!/usr/bin/env python
"""Train one stage on one fold, and first the stages that it requires where they are missing.

python recipes/train.py hparams/mlee_fusion.yaml --fold 3 --corpus iemocap --data_folder /data/IEMOCAP_full_release
python recipes/train.py hparams/mlee.yaml --fold 1 --corpus crema_d --data_folder /data/CREMA-D --emotions neu hap sad fea
python recipes/train.py hparams/mlee_fusion.yaml --help        tells every setting of that file

Settings of a required stage are written with its name: --mlee.max_epochs 5
Started again, the same command goes on where it was stopped, and reuses what is finished.
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.train", sys.argv[1:], description=__doc__))
