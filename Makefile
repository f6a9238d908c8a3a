# Everything runs in .venv, made on first use. With a GPU: make ... CONSTRAINTS=
PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(CONSTRAINTS)
# By all cores, where pip takes one; and of src too, as some environments forbid Python to keep what it compiles. What it
# cannot compile, such as a file of torch that is for later Pythons, is left to whoever imports it.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests/' .venv/lib src || true
TYPES := $(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: demo test check style peers bench study format clean

demo: .venv/core  ## train and compare three spaces; DATA=folder uses recordings of your own
	$(BIN)/affectspace demo $(if $(DATA),--data "$(DATA)" --out runs/demo-$(notdir $(DATA:/=)))

# Types are checked beside the tests, as that takes one core for a minute; what is wrong with them is told at the end.
# Three processes keep two cores at work: one of them mostly waits, for a browser, a cluster or a process of its own.
test: style  ## everything that must hold, with the real data too where they are
	$(TYPES) >.venv/types.log & types=$$!; trap 'kill $$types' INT TERM; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types || { cat .venv/types.log; exit 1; }; exit $$tests

check: style  ## style, types, and the direction of imports
	$(TYPES)

style: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

peers: .venv/peers  ## the losses beside those of other projects: values, gradients, and inside their loops
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/peers

bench: .venv/peers  ## measure against named peers in one run
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m benchmarks

study: .venv/test  ## the studies on real corpora (hours); NAME=speech, iemocap, zero_shot, ... runs one
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m benchmarks.real_studies $(NAME)

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[explore]"
	$(COMPILE)
	touch $@

.venv/test: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[test]"
	$(COMPILE)
	touch $@ .venv/core

.venv/peers: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[peers]"
	$(PIP) --no-deps dlordinal
	$(COMPILE)
	touch $@ .venv/core .venv/test
