# make demo       install into .venv, train the fusion model on the DEMO corpus (a short training) and classify a file
# make test       install into .venv and run lint, docstring examples and tests
# make test-real  the same for the long runs on real speech
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

FUSION := results/demo/mlee_fusion_soft/all/seed1/fold3
TEST_SPEAKER := data/demo_release/Session2/sentences/wav/*/*_F*.wav

define CLASSIFY
import sys, mlee_sb
classifier = mlee_sb.EmotionClassifier.from_hparams(source="$(FUSION)")
out_prob, score, index, text_lab = classifier.classify_file(sys.argv[1])
posterior = "  ".join(f"{emotion} {p:.2f}" for emotion, p in zip(classifier.emotions, out_prob[0].exp().tolist()))
print(f"DEMO: {sys.argv[1]} sounds {text_lab[0]} ({posterior})")
endef
export CLASSIFY

.PHONY: demo test test-real lint

demo: $(INSTALLED)
	$(BIN)/python recipes/train.py hparams/mlee_fusion.yaml --fold 3 --max_epochs 30 --mlee.max_epochs 5 --dominant.max_epochs 5
	$(BIN)/python -c "$$CLASSIFY" $$(ls $(TEST_SPEAKER) | head -n 1)

test: lint
	$(BIN)/pytest

test-real: $(INSTALLED)
	$(BIN)/pytest -m real

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[demo,test]"
	touch $@
