#!/usr/bin/env python
"""Write the manifests of a corpus: its utterances with their votes, split by speaker into folds.

python recipes/prepare.py CORPUS DATA_FOLDER --output OUT [--emotions neu hap sad ang] [--min_votes 1]
python recipes/prepare.py CORPUS --help        tells the options of that corpus, for example --dialogs of iemocap

For example:
python recipes/prepare.py iemocap /data/IEMOCAP_full_release --output data/iemocap
python recipes/prepare.py crema_d /data/CREMA-D --output data/crema_d --emotions neu hap sad fea
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.prepare_corpus", sys.argv[1:], description=__doc__))
