"""Manifests become trained stages, each with its bundle and its predictions (contract 2)."""

import logging

# SpeechBrain warns at its import that it could not save figures, which nobody asks of it.
logging.getLogger("speechbrain.utils.train_logger").addFilter(lambda record: "torchvision" not in record.getMessage())
