# make quickstart   environment with both halves, then the main job on the bundled jets
# make test         environment, then the tests
# make check        environment, then the static checks
# make ci           what continuous integration runs: checks, tests with coverage, one notebook, site, light install (.ci/run)
# make ci-full      everything that takes longer: benchmarks in short, all notebooks, a gallery, the distribution
# make site         the documentation, build/site/index.html
# make benchmarks   docs/benchmarks.md from the figures in build/benchmarks
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?= runs/quickstart
PYTEST_ARGS ?=
# Two processes: TensorFlow is imported once in each, and a file's fixtures stay together.
PARALLEL := -n 2 --dist loadfile

export TF_CPP_MIN_LOG_LEVEL ?= 3

NOTEBOOK := $(BIN)/python tools/check_notebooks.py
CORPUS ?= ../shared
FIGURES ?= build/benchmarks

.PHONY: quickstart test check coverage docs site notebook notebooks gallery quick-benchmarks benchmarks dist installs light container ci ci-full install lock clean

quickstart: $(STAMP)
	@$(BIN)/pquant-hls quickstart --out $(RUN)

test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check pquant_hls tests benchmarks tools
	$(BIN)/ruff format --check pquant_hls tests benchmarks tools docs *.md
	$(BIN)/codespell pquant_hls tests docs benchmarks tools *.md
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(STAMP)
	$(BIN)/python -m pytest -q $(PARALLEL) --durations=15 --cov=pquant_hls --cov-report=json:build/coverage.json $(PYTEST_ARGS)
	$(BIN)/python tools/coverage_floors.py build/coverage.json

docs: $(STAMP)
	$(BIN)/python tools/check_docs.py

# The site from pages, docstrings, commands and the schema of recipes: build/site/index.html. A warning is an error.
site: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

notebook: $(STAMP)
	$(NOTEBOOK) notebooks/01_quickstart.ipynb

notebooks: $(STAMP)
	$(NOTEBOOK)

# Pages of four real runs, looked at in headless Chromium where there is one: build/gallery/index.html
gallery: $(STAMP)
	$(BIN)/python tools/make_gallery.py $(GALLERY_ARGS)

# Every script in its short form: that none rots. The estimator's needs the folder of real designs beside the checkout.
quick-benchmarks: $(STAMP)
	@set -e; for file in benchmarks/[a-z]*.py; do \
	    if [ $$file = benchmarks/estimator.py ] && [ ! -d $(CORPUS)/synthesis_corpus ]; then echo "$$file: no corpus, left out"; continue; fi; \
	    echo "$$file --quick"; $(BIN)/python $$file --quick; done

# The page from the figures there are; `make build/benchmarks/train.json` takes those of one script, in full.
benchmarks: $(STAMP)
	$(BIN)/python tools/write_benchmarks.py $(FIGURES)

$(FIGURES)/%.json: benchmarks/%.py | $(STAMP)
	@mkdir -p $(FIGURES)
	$(BIN)/python $< --json $@ $(BENCHMARK_ARGS)

dist: $(STAMP)
	$(BIN)/python tools/check_dist.py

# The light install and the whole one in empty environments of each Python there is; downloads both.
installs: $(STAMP)
	$(BIN)/python tools/check_install.py

# The light install alone, with the present Python.
light: $(STAMP)
	$(BIN)/python tools/check_install.py --quick

# The image of the Containerfile, or its steps in an empty folder where no container tool answers.
container: $(STAMP)
	$(BIN)/python tools/check_container.py

ci:
	.ci/run

ci-full: docs site dist installs container notebooks gallery quick-benchmarks

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) on PATH: install Python 3.11 to 3.13, or make PYTHON=..."; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, {sys.executable} is {sys.version.split()[0]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e '.[compress]'
	@touch $(STAMP)

# All extras that the tests and the site use; datagen's made the bundled events.
EXTRAS := compress cluster da dashboard data docs notebook plot qonnx rtl
# The lock holds for Python 3.11 to 3.13 by markers; run this after a change of the dependencies.
lock:
	uv pip compile --universal --python-version 3.11 $(EXTRAS:%=--extra %) --group dev --generate-hashes \
	    --no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache runs
