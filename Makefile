# make run    the built-in model on the built-in demo set
# make test   the tests
# make weekly   the long versions of some of them
# make coverage   the same, slower, with the share of branches that they take
# make check  format, lint, types, import contract, spelling
# make kills  kill and stop commands at random moments: KILLS=100 SEED=0
# make fuzz   mutated files of every kind that is read, to every command: FUZZ=20000 SEED=0
# make report-demo   the demo reports of docs/demo
# make clean   forget the environment and what was built

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := $(VENV)/.ready
# One process for each core; tests of one xdist_group share what they start, and so one process.
# Bytecode is kept wherever the caller stands: each process rewrites 290 files of tests without it.
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist loadgroup

.PHONY: run test weekly coverage check kills fuzz report-demo setup clean

run: $(VENV)/.installed
	$(BIN)/serval evaluate

test: setup
	$(TESTS)

weekly: setup
	$(TESTS) -m weekly

coverage: setup
	$(TESTS) --cov --cov-report=term:skip-covered

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

KILLS ?= 100
SEED ?= 0

kills: setup
	PYTHONPATH=src:tests $(BIN)/python tests/kills.py --kills $(KILLS) --seed $(SEED)

FUZZ ?= 20000

fuzz: setup
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m fuzz.campaign --cases $(FUZZ) --seed $(SEED)

report-demo: $(VENV)/.installed
	$(BIN)/serval report example:int8 --baseline example:fp32 --output docs/demo/report.html
	$(BIN)/serval evaluate --output build/report-demo --fresh --quiet --no-plots
	$(BIN)/serval report build/report-demo --output docs/demo/listen.html --audio all

setup: $(READY)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e .
	$(BIN)/python -m compileall -q src
	touch $@

$(READY): $(VENV)/.installed
	$(BIN)/pip install --quiet --group dev --group openvino --group ray --group torch
	touch $@

clean:
	rm -rf $(VENV) build dist
