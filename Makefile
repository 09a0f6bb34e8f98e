# Everything a newcomer, a developer and CI need. Works for any user; needs Python 3.11 or newer and nothing installed.
#
#   make run                      install into .venv and see one fax go round
#   make run ARGS="--once"        the same, ending by itself
#   make PYTHON=python3.12 test   with a Python of your choice (counts when .venv is made)

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

NEWEST := for one in python3.13 python3.12 python3.11 python3; do \
	"$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$one" && break; done
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell $(NEWEST))
endif

export PIP_DISABLE_PIP_VERSION_CHECK = 1
PIP := $(BIN)/python -m pip install --quiet

.PHONY: help run test test-all faults lint format bench clean

help:
	@echo "make run       the whole gateway on embedded parts: one fax goes round, then it waits for yours"
	@echo "make test      the tests that need nothing but PyPI, in under five minutes"
	@echo "make test-all  these, and then those that need more programs or minutes; nothing may be skipped"
	@echo "make faults    break it in every way for an hour or two, and write down what happened"
	@echo "make lint      ruff, mypy and the import layers"
	@echo "make format    let ruff lay out the code"
	@echo "make bench     measure"
	@echo "make clean     remove .venv and caches"

run: $(VENV)/installed
	$(BIN)/faxgate demo $(ARGS)

test: $(VENV)/installed-tests
	$(BIN)/pytest -m "not full" -n auto --maxprocesses=4 $(ARGS)

test-all: $(VENV)/installed-tests $(VENV)/node/node_modules/telnyx
	FAXGATE_TEST_REQUIRE=all $(MAKE) test
	FAXGATE_TEST_REQUIRE=all $(BIN)/pytest -m full -n auto --maxprocesses=4 $(ARGS)

faults: $(VENV)/installed-tests
	$(BIN)/python -m tests.faults --write $(ARGS)

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-tests
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each of these files says that something has been installed since pyproject.toml was last changed.

$(VENV)/installed: pyproject.toml hatch_build.py $(wildcard gateway/documents/_*.[ch]) $(BIN)/python
	@echo "installing faxgate into $(VENV) ..."
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-tests: pyproject.toml $(VENV)/installed
	@echo "installing what the tests need ..."
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --editable ".[postgres,s3]" --group test
	@touch $@

# The official library for Node, which asks our API in a test marked "full".
$(VENV)/node/node_modules/telnyx: | $(VENV)/installed-tests
	@echo "installing the library telnyx for Node ..."
	npm install --prefix $(VENV)/node --no-audit --no-fund --silent "telnyx@^7.24.0"

$(VENV)/installed-lint: pyproject.toml $(VENV)/installed-tests
	@echo "installing the checkers ..."
	$(PIP) --group lint
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Install one (Debian: apt install python3" \
		"python3-venv), or name it: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is no Python 3.11 or" \
		"newer. Name another one: make PYTHON=/path/to/python3.12 run" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments." \
		"Install its venv module (Debian: apt install python3-venv)." >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
