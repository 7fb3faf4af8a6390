# Everything from a fresh clone: `make demo`, `make test`. One .venv serves all targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
STAMP := $(VENV)/.installed

.PHONY: install demo test test-slow check bench clean

install: $(STAMP)

# torch first, alone: pip then takes the build that is pinned, not the newest one with several GB of CUDA
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e ".[track]"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/tinybert demo --out runs/demo

test: $(STAMP)
	$(BIN)/python -m pytest -q

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -m "slow or network" --force-enable-socket

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# TextBrewer without its dependencies: they are all here, and it pins none
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --no-deps textbrewer==0.2.1
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/memory.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
