# Everything works from a bare clone with Python 3.11 or newer and make. `make` alone tells what there is.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# the locks hold versions and hashes, and say nothing of where packages come from
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format types imports docs secrets bench proof sbom lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(BASE) ## Try it all: a sample shop, a sandbox carrier, no account anywhere
	$(BIN)/bellwire demo $(ARGS)

test: $(DEV) ## Run the tests (ARGS="tests/domain -x" for some)
	$(BIN)/python -m pytest -n 3 -m "not proof" $(ARGS)

check: lint types imports test ## What CI runs

lint: $(DEV) ## Judge form and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(DEV) ## Bring form and style in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV) ## Check types
	$(BIN)/mypy

imports: $(DEV) ## Check that imports point one way
	$(BIN)/lint-imports --no-cache

docs: $(DEV) ## Write the pages that come from the code
	$(BIN)/python docs/make_reference.py

secrets: $(DEV) ## Look for secrets and renew the baseline (look at its diff)
	$(BIN)/detect-secrets scan --disable-plugin KeywordDetector --exclude-files '^(tests/|requirements/.*\.txt$$|.*/samples/)' > .secrets.baseline

bench: $(DEV) ## Measure (figures depend on the machine)
	@set -e; for one in accept bulk delivery whole latency jobs templates; do echo "== $$one"; (cd benchmarks && ../$(BIN)/python $$one.py $(ARGS)); done

proof: $(DEV) ## Run the long proofs (up to an hour); their table is written to build/proofs.md
	PROOF_REPORT=$(or $(PROOF_REPORT),build/proofs.md) $(BIN)/python -m pytest -m proof $(ARGS)

sbom: $(DEV) ## Write the bill of materials of a base installation to build/
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements/base.txt --output-reproducible -o build/bellwire.cdx.json

lock: $(DEV) ## Resolve dependencies anew (look at the diff of requirements/ and docs/dependencies.md)
	$(LOCK) $(ARGS) pyproject.toml -o requirements/base.txt
	$(LOCK) $(ARGS) pyproject.toml --extra all -c requirements/base.txt -o requirements/all.txt
	$(LOCK) $(ARGS) pyproject.toml --extra dev -c requirements/all.txt -o requirements/dev.txt
	$(LOCK) $(ARGS) requirements/build.in -c requirements/dev.txt -o requirements/build.txt

clean: ## Take away all that make made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- environments ---------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Bellwire needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python can't make a virtual environment here. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

# with the run-time extras: the demo writes back to a shop
$(BASE): $(BIN)/python requirements/all.txt requirements/build.txt pyproject.toml
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/all.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(BIN)/python requirements/dev.txt requirements/build.txt pyproject.toml
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(BASE)
