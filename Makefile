# Every target does its own set-up: a fresh clone needs only Python 3.11, git and make.
# Lines that open with `## ` name a section of `make help`; a target's own `## ` comment is its help.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

# Tests run on every core, and two more at a time, since some wait; `make test PYTEST_ARGS="-n 0"` runs them one by one.
# For a part of the suite call pytest itself: the gates want all of it.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PYTEST_ARGS ?= -n $(shell expr $(CORES) + 2) --maxprocesses 6 --dist worksteal

# A database a test, whose writes wait for a disk: they are made in memory where there is room.
ROOM := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print $$6}')

# Of the locked packages uv comes first: it installs the others in a third of the time, from the index that it knows.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What two parties must agree on, and what decides: a line that no test walks is one too many.
DECIDING := schemas/tocsin_schemas/*,hub/tocsin/*/rules.py,hub/tocsin/*/rules/*.py

# `make lock UPGRADE=1` moves the pins forward; without it they stay where they are.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

# The suite and the demo start hundreds of processes: compiled modules are kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

# The theme announces its successor on every build (docs/adr/0007).
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help setup lock demo test check bench docs clean types style contracts generated documents collected

## Start here
help: ## List the targets
	@awk -F ':.*## ' '/^## /{printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.tocsin-setup ## Make .venv with the locked, hash-checked packages (PYTHON=… to choose the interpreter)

demo: setup ## Three members and one hub, end to end, in under a minute (KEEP=1 leaves the hub running)
	$(BIN)/tocsin-hub demo $(if $(KEEP),--keep)

$(VENV)/.tocsin-packages: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Tocsin needs Python 3.11 or later; name one with PYTHON=…"; exit 1; }
	@echo "setup: making $(VENV) with $(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing the locked packages, hash-checked (a minute or two the first time)"
	@awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements-dev.lock >$@.uv
	@$(PIP) --require-hashes --requirement $@.uv
	@$(BIN)/uv pip install --quiet --system-certs --link-mode=copy --compile-bytecode --python $(BIN)/python \
		--require-hashes --requirement requirements-dev.lock \
		|| { echo "setup: again with pip, which takes longer"; $(PIP) --require-hashes --requirement requirements-dev.lock; }
	@touch $@

$(VENV)/.tocsin-setup: $(VENV)/.tocsin-packages pyproject.toml
	@echo "setup: installing Tocsin itself, editable"
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "setup: ready"

## Before a change goes in
test: setup ## The whole suite, on SQLite and on a real PostgreSQL, with the coverage gates
	@$(BIN)/coverage erase
	$(if $(ROOM),PYTEST_DEBUG_TEMPROOT=$(ROOM)) $(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)
	@rm -f .coverage.* # of processes that were killed; all others are in .coverage
	@report=$$($(BIN)/coverage report --include='$(DECIDING)' --fail-under=100) \
		|| { echo "$$report"; echo "test: the wire and all rules need 100 % branch coverage"; exit 1; }

# One for each core at a time, the longest first; what each says comes in one piece, and all are run whatever one says.
# Its tests are tests of the suite too: where that follows, once is enough (SUITE_FOLLOWS=1), and all are only collected,
# so that they are compiled when the suite's workers begin: in a fresh clone each would compile them all.
check: setup ## What CI checks besides the suite: style, types, contracts, generated files, docs and their site
	@$(MAKE) --no-print-directory --jobs=$(CORES) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) --keep-going \
		types $(if $(SUITE_FOLLOWS),collected,documents) generated contracts style

types style contracts generated documents collected: setup

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

contracts:
	$(BIN)/lint-imports --no-logo

generated:
	$(BIN)/python -m tests.support.publish --check

documents:
	$(BIN)/python -m pytest -q -m check

collected:
	@$(BIN)/python -m pytest -qq --collect-only >$(VENV)/.tocsin-collected || { cat $(VENV)/.tocsin-collected; exit 1; }

bench: setup ## The benchmarks, each against a floor measured in the same run (ONLY=<name> for one)
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

## Upkeep
docs: setup ## Build the documentation site into site/
	$(BIN)/mkdocs build --strict

lock: setup ## Write the lock files again from pyproject.toml (UPGRADE=1 moves the pins)
	$(LOCK) --all-extras --output-file requirements-dev.lock pyproject.toml
	$(LOCK) --extra hub --extra postgres --extra hash --extra s3 --constraint requirements-dev.lock \
		--output-file requirements-hub.lock pyproject.toml
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml

clean: ## Remove what the other targets made, .venv included
	rm -rf $(VENV) site build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
