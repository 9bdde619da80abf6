#!/usr/bin/env python
"""Train one row of table 3 on every fold, and first the stages that it requires, several at a time.

python recipes/cross_validate.py hparams/mlee_fusion.yaml --corpus iemocap --data_folder /data/IEMOCAP_full_release
python recipes/cross_validate.py hparams/mlee.yaml --folds 1 2 3 --jobs 4 --corpus crema_d --data_folder /data/CREMA-D --emotions neu hap
python recipes/cross_validate.py hparams/mlee_fusion.yaml --dry-run        shows what would be trained
python recipes/cross_validate.py hparams/mlee_fusion.yaml --help           tells every setting of that file

Stopped with Ctrl-C or killed, the same command goes on where it was, and reuses what is finished.
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.cross_validate", sys.argv[1:], description=__doc__))
