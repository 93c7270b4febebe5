# Everything runs in .venv, made from constraints.txt on the first call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(wildcard ../shared/data)
export RANKDISTILL_DATA ?= $(abspath $(DATA))
export TOKENIZERS_PARALLELISM = false
# Python compiles what it imports: compiling all 33,000 modules of the libraries beforehand takes 100 seconds more.
# Where the environment forbids it to keep that, each of the tests' processes would compile again, for 10 seconds.
QUIETLY := --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE =
# Each has half of the tests in their order, so that what a file needs is made once; who is done takes of the other's.
TWO := -n 2 --dist worksteal

.PHONY: quickstart test test-all lucene check bench clean

$(VENV)/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(QUIETLY) -c constraints.txt -e ".[dev]"
	touch $@

quickstart: $(VENV)/.installed
	$(BIN)/rankdistill run recipes/quickstart.yaml

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" $(TWO)

test-all: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO)

lucene: $(VENV)/.installed
	$(BIN)/pip install $(QUIETLY) -c constraints.txt -e ".[lucene]"

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) build dist *.egg-info
