# Two commands are all a user needs: `make run` and `make test`. The others are for those who change the code.
# A virtual environment is made in .venv with what the lock files name; uv is used where it is installed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AUDIT := .venv-audit
UV := $(shell command -v uv 2>/dev/null)
ifdef UV
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif
# One worker more than cores: tests wait for clocks and sockets at times.
WORKERS := $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

.PHONY: run test check chaos conformance fix lock bench fuzz audit sbom help
.DEFAULT_GOAL := help

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## serve a simulated plant on http://localhost:8100
	@$(BIN)/kai-erp serve --demo

test: $(VENV)/.dev ## run every test
	@$(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadgroup $(COVERAGE)

check: $(VENV)/.dev ## format, lint, types, arrows and secrets, without changing a file
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/supply/secret_scan.py

chaos: $(VENV)/.dev ## load two replicas for ten minutes while the ERP fails and Redis restarts
	@$(BIN)/python -m tests.chaos.run

conformance: $(VENV)/.dev ## check the MCP server with the official suite (needs the network once)
	@$(BIN)/python tests/conformance/run.py

fix: $(VENV)/.dev ## mend what can be mended by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@for name in schedule orders customers inventory; do \
		$(BIN)/kai-erp connectors $$name --markdown > docs/reference/$$name.md || exit 1; done

bench: $(VENV)/.dev ## measure, as ratios in one run; BENCH='--quick --only NAME…' less of it
	@$(BIN)/python -m benchmarks.run $(BENCH)

fuzz: $(VENV)/.dev ## try the readers of foreign text with much more of it; EXAMPLES=… each
	@$(BIN)/python tests/fuzz/run.py $(EXAMPLES)

audit: $(AUDIT)/.done ## look the run-time packages up among known vulnerabilities (needs the network)
	@$(AUDIT)/bin/python tests/supply/audit.py requirements.lock requirements-build.lock

sbom: $(AUDIT)/.done ## write what is in the product to dist/sbom.cdx.json
	@mkdir -p dist
	@$(AUDIT)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file dist/sbom.cdx.json requirements.lock
	@echo "dist/sbom.cdx.json"

lock: ## resolve the newest versions and write the lock files (needs uv)
	$(LOCK) --group build --output-file requirements-build.lock
	$(LOCK) --group audit --output-file requirements-audit.lock
	$(LOCK) pyproject.toml --extra otel --output-file requirements.lock
	$(LOCK) pyproject.toml --extra otel --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) tests/conformance/requirements.in --output-file tests/conformance/requirements.lock

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("kai-erp needs Python 3.11 or newer; name one with: make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV); this happens once."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) --require-hashes -r requirements-build.lock
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(AUDIT)/.done: requirements-audit.lock
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	@touch $@
