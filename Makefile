# make quickstart   environment, then the main job on the bundled jets
# make test         environment, then the tests
# make check        environment, then the static checks
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?= runs/quickstart
PYTEST_ARGS ?=

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: quickstart test check notebooks install lock clean

quickstart: $(STAMP)
	@$(BIN)/pquant-hls quickstart --out $(RUN)

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check pquant_hls tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(STAMP)
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=900 -q -o addopts= -p no:warnings notebooks

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) on PATH: install Python 3.11 to 3.13, or make PYTHON=..."; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, {sys.executable} is {sys.version.split()[0]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

# The lock holds for Python 3.11 to 3.13 by markers; run this after a change of the dependencies.
lock:
	uv pip compile --universal --python-version 3.11 --extra data --extra plot --extra rtl --group dev --generate-hashes \
	    --no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache runs
