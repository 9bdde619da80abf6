"""Manifests become trained stages, each with its bundle and its predictions (contract 2)."""

import logging

# SpeechBrain warns at its import that it cannot save figures. This package saves none.
logging.getLogger("speechbrain.utils.train_logger").addFilter(lambda record: "torchvision" not in record.getMessage())
