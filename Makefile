# make demo       install into .venv, train the fusion model on the DEMO corpus (a short training) and classify a file
# make test       install into .venv and run lint, docstring examples and tests
# make test-real  the same for the long runs on real speech
# make model      train the model that comes with the package: make model DATA_FOLDER=<CREMA-D> UPSTREAM=openai/whisper-tiny.en
# make faults     try to break it: kills, spoilt files, full disks, hostile input (under 30 minutes on two cores); PAGE=docs/campaign.md keeps the table
# make bench      install into .venv and measure speed and memory against references (benchmarks/README.md)
# make docs       install into .venv and build the site of docs/ into build/site; a broken link is an error
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-real model faults bench docs lint

demo: $(INSTALLED)
	$(BIN)/mlee demo

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

test-real: $(INSTALLED)
	$(BIN)/pytest -m real

model: $(INSTALLED)
	$(BIN)/python recipes/make_model.py --data_folder "$(DATA_FOLDER)" --upstream "$(UPSTREAM)"

faults: $(INSTALLED)
	$(BIN)/python tests/faults/campaign.py $(if $(PAGE),--write $(PAGE))

bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py

docs: $(INSTALLED)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html -d build/doctrees docs build/site

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[demo,test]"
	touch $@
