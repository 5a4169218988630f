# Everything a fresh machine needs is git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

COMPILE := .venv-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help install demo test torture check bench lock clean docs

help: ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## make .venv with flatdrop and its pinned dependencies in it

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Flatdrop needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## run the main job on made-up data, here and now
	@$(BIN)/flatdrop demo

test: $(STAMP) ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

torture: $(STAMP) ## kill it everywhere, and count what was lost or doubled; takes long
	PYTHONPATH=.:tests $(BIN)/python -m torture

check: $(STAMP) ## style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## a million rows, and records by the API, against the least work that does the same
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.records
	$(BIN)/python -m benchmarks.gathering
	$(BIN)/python -m benchmarks.catalog

docs: $(STAMP) ## write the generated pages of docs/ again
	$(BIN)/python -m jobs.reference docs

lock: ## pin every dependency again, with hashes, for every Python and system
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group dev pyproject.toml -o requirements-dev.txt
	rm -rf .venv-lock

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info
