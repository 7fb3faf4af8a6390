# Everything from a fresh clone: `make demo`, `make test`. One .venv serves all targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: install demo test test-slow test-litert check bench docs clean

install: $(STAMP)

# torch first, alone: pip then takes the build that is pinned, not the newest one with several GB of CUDA
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e ".[track,onnx,openvino]"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/tinybert demo --out runs/demo

# a thread a process: two processes of two threads each wait for each other on two cores
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

test-slow: $(STAMP) test-litert
	$(BIN)/python -m pytest -q -m "slow or network" --force-enable-socket
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q $(shell find tests -name 'test_*_properties.py')

# LiteRT's converter takes shared packages back to older versions: it has an environment of its own, in which
# all others keep their versions (free to choose, pip does not find an end)
TAKEN_BACK := typing_extensions|typing-inspection|pydantic|pydantic_core|anyio
test-litert: .venv-litert/.installed
	.venv-litert/bin/python -m pytest -q -p no:anyio tests/contract/test_backends.py -k litert

.venv-litert/.installed: pyproject.toml constraints.txt
	test -x .venv-litert/bin/python || $(PYTHON) -m venv .venv-litert
	.venv-litert/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-litert/bin/python -m pip install --quiet $(TORCH)
	grep -vE "^($(TAKEN_BACK))==" constraints.txt > .venv-litert/constraints.txt
	.venv-litert/bin/python -m pip install --quiet -c .venv-litert/constraints.txt $(TORCH) pytest pytest-socket hypothesis -e ".[litert]"
	touch .venv-litert/.installed

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

# the pages of recipe keys, from the descriptions in the recipe
docs: $(STAMP)
	$(BIN)/python -m tinybert.config.reference > docs/reference.md
	$(BIN)/python -m tinybert.config.reference docs/zh/reference.yaml > docs/zh/reference.md

clean:
	rm -rf $(VENV) .venv-litert build dist .pytest_cache .ruff_cache
