# Everything runs in .venv, which these targets make from nothing but Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test pictures lint format proto reference sim sim-nightly bench fuzz chaos clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("sched needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which to use: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(STAMP)

setup: $(STAMP) ## make .venv with everything

demo: $(STAMP) ## run a workflow through kill -9 of its worker and its engine
	@$(BIN)/python -m sched_cli.demo

test: $(STAMP) ## every test
	$(BIN)/python -m pytest -n auto --dist loadfile

pictures: $(STAMP) ## draw docs/pictures anew; look at them before you commit them
	$(BIN)/python -m tests.tui.pictures
	SCHED_UPDATE_PICTURES=1 $(BIN)/python -m pytest -q tests/tui/browser
	@echo 'Every scene, to be looked at: $(BIN)/python -m tests.tui.browser.scenes FOLDER'

lint: $(STAMP) ## format, lint and type checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP) ## rewrite the code in the project's format
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

proto: $(STAMP) ## regenerate sched_sdk/api/v1 from proto/
	$(BIN)/python scripts/generate_stubs.py

reference: $(STAMP) ## make docs/cli.md from the commands
	$(BIN)/python scripts/generate_cli_reference.py

sim: $(STAMP) ## the whole system under faults, from SEEDS=200 fresh seeds
	$(BIN)/python -m tests.sim --seeds $(or $(SEEDS),200)

sim-nightly: $(STAMP) ## the same for HOURS=8 hours
	$(BIN)/python -m tests.sim --hours $(or $(HOURS),8)

bench: $(STAMP) ## measure; figures go to docs/performance.md
	$(BIN)/python -m benchmarks

fuzz: $(STAMP) ## attack engines with malformed messages, SECONDS=60
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

chaos: $(STAMP) ## real processes and servers, broken at random for CHAOS_SECONDS=600; SEED=
	$(BIN)/python -m tests.chaos --seconds $(or $(CHAOS_SECONDS),600) $(if $(SEED),--seed $(SEED))

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
