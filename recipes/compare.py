#!/usr/bin/env python
"""Compare rows on the same folds: train each of them, each stage once, and write one report with all of them beside each other.

python recipes/compare.py disagreement --corpus crema_d --data_folder /data/CREMA-D
python recipes/compare.py disagreement --rows dominant mlee kld:alpha=0.75 --seeds 1 2 3 --primary UA
python recipes/compare.py disagreement --encoders paper pretrained:upstream=openai/whisper-tiny.en
python recipes/compare.py disagreement --dry-run        shows what would be trained

Stopped with Ctrl-C or killed, the same command goes on where it was, and reuses what is finished.
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.compare", sys.argv[1:], description=__doc__))
