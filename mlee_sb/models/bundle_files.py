"""The names of the files of a bundle (contract 3)."""

CONFIG, WEIGHTS, GOLDEN = "config.json", "model.safetensors", "golden.json"  # mlee_sb reads only these to load a model
SCORES, CARD = "scores.json", "README.md"  # for people
HYPERPARAMS = "hyperparams.yaml"  # for SpeechBrain's EncoderClassifier, which runs this file
LABEL_ENCODER = "label_encoder.ckpt"  # the name that SpeechBrain's Pretrainer expects
CHECKPOINTS = {"encoder.": "embedding_model.ckpt", "classifier.": "classifier.ckpt"}  # for SpeechBrain, by the part of the weights
FILES = (CONFIG, WEIGHTS, GOLDEN, SCORES, CARD, HYPERPARAMS, LABEL_ENCODER, *CHECKPOINTS.values())
