#!/usr/bin/env python
"""Make the model that comes with the package: first ten folds, which say how good it is, then the model itself on all speakers.

python recipes/make_model.py --data_folder /data/CREMA-D --upstream openai/whisper-tiny.en

Stopped with Ctrl-C or killed, the same command goes on where it was, and reuses what is finished.
"""

import sys

from mlee_sb.start import start

if __name__ == "__main__":
    sys.exit(start("mlee_sb.experiment.make_model", sys.argv[1:], description=__doc__))
