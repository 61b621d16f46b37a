# `make` alone lists what there is. Each target sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two processes suit a laptop and a small build machine alike; the Temporal servers want the rest.
JOBS ?= 2
PYTEST := $(BIN)/pytest -q -p no:cacheprovider

NO_SERVER := tests/decisions tests/storage tests/activities tests/cli tests/replay tests/test_architecture.py
SERVER := tests/workflows tests/faults

.DEFAULT_GOAL := help
.PHONY: help install demo test test-deep check format bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than Python 3.11"; \
	       echo "hint: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[dev]' --constraint constraints.txt
	@touch $@

demo: $(STAMP) ## Run the repository audit on this repository
	@# A queue of its own: a worker that happens to run does not have the demo's tools.
	MAINSTAY_TASK_QUEUE=demo $(BIN)/mainstay run examples/repository-audit.yaml -i path=. --tools examples/audit_tools.py --approve

check: $(STAMP) ## Format, lint, types, imports, and the quick tests, which need no server
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	@# The type checker has one thread; beside it there is room for the tests.
	$(BIN)/mypy & types=$$!; \
	$(PYTEST) -n $(JOBS) -m 'not deep and not postgres and not slow' $(NO_SERVER); tests=$$?; \
	wait $$types && exit $$tests

# Every branch of the decisions must be covered; tracing takes too long for `make check`.
test: $(STAMP) ## Every test but the long campaigns
	$(PYTEST) -n $(JOBS) -m 'not deep' --cov --cov-report=term tests/decisions
	$(PYTEST) -n $(JOBS) -m 'not deep' --durations=5 \
	  $(filter-out tests/decisions,$(NO_SERVER)) $(SERVER)

test-deep: $(STAMP) ## The long, seeded campaigns
	$(PYTEST) -m deep tests

bench: $(STAMP) ## Measure what we claim; writes build/bench.json
	$(BIN)/python -m benchmarks

format: $(STAMP) ## Put the code into form
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## Remove everything that was made, .venv too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
