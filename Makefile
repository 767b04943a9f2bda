# `make run` makes a release from recordings; `make test` runs the tests, `make test-all`
# the slow ones too. All install what they need.
PYTHON ?= python3.11
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
# Three workers, of which one waits for a file, a compiler or an emulator; tests/conftest.py says what they share out,
# and in which order.
PYTEST := python -m pytest -n 3 --no-loadscope-reorder --durations 20
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: run test test-all bench bench-kernels bench-sweeps fuzz docs lint setup toolchain tools-of-tests tools-of-all-tests clean

run: setup
	sh .ci/pipeline

test: tools-of-tests setup lint
	$(PYTEST) -m "not slow"

test-all: tools-of-all-tests setup $(VENV)/docs lint
	$(PYTEST)

# Figures that tests do not time: memory and speed, beside the stored ones.
bench: setup
	python -m tests.bench.sessions

# Instructions per layer and per multiply-accumulate on the emulated boards, beside the stored ones.
bench-kernels: setup
	python -m tests.bench.kernels

# What a second worker gains a sweep, and what a job costs beside its stages; for a machine that does nothing else.
bench-sweeps: setup
	$(PIP) --no-deps -r requirements-sweep.lock
	python -m tests.bench.sweeps --launcher overhead
	python -m tests.bench.sweeps --launcher joblib
	python -m tests.bench.sweeps --launcher ray

# A million executions of what reads foreign bytes on the device: bundles and the record of updates.
fuzz: setup
	python -m tests.update.fuzz --executions 1000000

# The site, in build/docs. The variable leaves out the theme's announcement of another program.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet

lint: setup
	ruff check .
	ruff format --check .
	mypy

setup: toolchain $(VENV)/installed

toolchain:
	PYTHON=$(PYTHON) sh .ci/toolchain

tools-of-tests tools-of-all-tests: tools-of-%:
	PYTHON=$(PYTHON) sh .ci/toolchain --$*

# torch goes first: with it in place, nothing later can pull another build of it. What is imported is compiled then;
# compiling the rest would take half of the time.
$(VENV)/installed: requirements.lock requirements-test.lock | toolchain
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep '^torch==' requirements.lock)"
	$(PIP) -r requirements.lock -r requirements-test.lock
	touch $@

$(VENV)/docs: $(VENV)/installed requirements-docs.lock
	$(PIP) -r requirements-docs.lock
	touch $@

clean:
	rm -rf $(VENV) build data/capture data/split data/features models/*/ firmware/generated
