# make test       install into .venv and run lint, docstring examples and tests
# make test-real  the same for the long runs on real speech
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: test test-real lint

test: lint
	$(BIN)/pytest

test-real: $(INSTALLED)
	$(BIN)/pytest -m real

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@
