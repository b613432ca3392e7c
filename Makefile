# Every command takes ARGS="…"; with --json its last line is one JSON object with "ok" and the figures.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/mutt: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mutt needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(BIN)/mutt

venv: $(BIN)/mutt  ## create .venv from the hashed lock file

demo: $(BIN)/mutt  ## run the main job on real servers: traffic, outage, kill, dead letters, balance sheet
	@$(BIN)/muttdev demo $(ARGS)

test: $(BIN)/mutt  ## unit, contract, architecture and integration tests (ARGS goes to pytest)
	@$(BIN)/python -m tests.run test $(ARGS)

check: $(BIN)/mutt  ## format, lint, types, layers, tests; with `make proof` it is what CI runs
	@$(BIN)/python -m tests.run check $(ARGS)

proof: $(BIN)/mutt  ## whole days, and what holds while parts are killed, frozen, cut and flooded; crash points, histories
	@$(BIN)/python -m tests.run proof $(ARGS)

bench: $(BIN)/mutt  ## speed and memory as ratios measured in one run
	@$(BIN)/python -m tests.bench $(ARGS)

load: $(BIN)/mutt  ## backpressure under load: slow, dead and flapping receivers, storms, rebalances; then the books
	@$(BIN)/python -m tests.load $(ARGS)

fuzz: $(BIN)/mutt  ## the API from its own document, as every role; ARGS="--target parsers" feeds what reads outsiders' bytes
	@$(BIN)/python -m tests.fuzz $(ARGS)

chaos: $(BIN)/mutt  ## kills, freezes, cuts and outages by a plan while events flow; then a checker balances the books
	@$(BIN)/python -m tests.chaos $(ARGS)

docs: $(BIN)/mutt  ## the documents as a site, below .site, without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)

screenshots: $(BIN)/mutt  ## pictures of the console, of the demo or of the stack in the environment; ARGS="[folder] --json"
	@$(BIN)/python -m tests.screenshots $(ARGS)

matrix: $(BIN)/mutt  ## the wheel on each of Python 3.11 to 3.13 that is there: installed, both programs, a demonstration
	@$(BIN)/python -m tests.matrix_of_pythons $(ARGS)

audit: $(BIN)/mutt  ## known vulnerabilities, SBOM, licences, bandit; ARGS="sbom" for one of them
	@$(BIN)/python -m tests.supply $(ARGS)

coverage: $(BIN)/mutt  ## lines and branches that tests take, and whether they are enough; ARGS="core|units|whole --json"
	@$(BIN)/python -m tests.branches $(ARGS)

mutants: $(BIN)/mutt  ## small changes of decisions, and whether their tests notice; ARGS="module … --json"
	@$(BIN)/python -m tests.mutants $(ARGS)

lock: $(BIN)/mutt  ## refresh all lock files (needs uv on PATH)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:build -o requirements-build.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:audit -o requirements-audit.lock
	for peer in arroyo bytewax quixstreams; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:bench-$$peer -o tests/bench/rivals/locks/$$peer.txt; done

.PHONY: help venv demo test check proof bench load fuzz chaos docs screenshots matrix audit coverage mutants lock
