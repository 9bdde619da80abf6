# make demo       install into .venv, train the fusion model on the DEMO corpus (a short training) and classify a file
# make test       install into .venv and run lint, docstring examples and tests
# make test-real  the same for the long runs on real speech
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

FUSION := results/demo/mlee_fusion_soft/all/seed1/fold3
DEMO_FILE := data/demo_release/Session2/sentences/wav

.PHONY: demo test test-real lint

demo: $(INSTALLED)
	$(BIN)/python recipes/train.py hparams/mlee_fusion.yaml --fold 3 --max_epochs 30 --mlee.max_epochs 5 --dominant.max_epochs 5
	file=$$(find $(DEMO_FILE) -name '*.wav' | sort | head -n 1); echo "DEMO: $$file"; \
	$(BIN)/python -c "import sys, mlee_sb; print(mlee_sb.EmotionClassifier.from_hparams('$(FUSION)').classify_file(sys.argv[1]))" $$file

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
