# The words of this project: demo build test campaign lint bench sanitize clean
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = pyproject.toml setup.py $(wildcard csrc/*.* csrc/*/*.* fastmlp/engine/*.pyx fastmlp/engine/*.pxd)
FACES = $(wildcard tests/faces/*.p*)

.PHONY: demo build faces test campaign lint bench sanitize clean

demo: build                ## train on the embedded digits
	@mkdir -p models
	$(BIN)/fastmlp train digits --out models/digits.safetensors

build: $(VENV)/ready       ## an environment with fastmlp, built from this checkout

$(VENV)/ready: $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "fastmlp needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[cli,test]'
	@touch $@

faces: $(VENV)/faces       ## the kernels as Python functions, which tests and benchmarks call

$(VENV)/faces: $(VENV)/ready $(FACES)
	$(BIN)/python tests/faces/build.py
	@touch $@

test: faces                ## every test but the campaigns, files side by side on the processors
	$(BIN)/pytest -q -n auto --dist loadfile

campaign: faces            ## the slower tests: packaging, published accuracies
	$(BIN)/pytest -q -m campaign

lint: build                ## style of Python and Cython, types, and the stubs against what was compiled
	$(BIN)/pip install --quiet --disable-pip-version-check ruff cython-lint mypy basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH=$(BIN):$$PATH cython-lint fastmlp  # it calls pycodestyle by name
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --concise --mypy-config-file pyproject.toml --ignore-disjoint-bases --ignore-missing-stub \
	  fastmlp.engine.core fastmlp.engine.native fastmlp.engine.passes fastmlp.engine.prediction fastmlp.engine.compiled \
	  fastmlp.engine.blas
	$(BIN)/python tests/check_types.py

bench: faces               ## our training step beside those of other libraries that are installed
	$(BIN)/python -m benchmarks

sanitize:                  ## the tests of kernels and engine under GCC's address and undefined-behaviour sanitizers
	$(PYTHON) -m venv build/sanitized
	FASTMLP_SANITIZE=address,undefined build/sanitized/bin/pip install --quiet '.[cli,test]'
	FASTMLP_SANITIZE=address,undefined build/sanitized/bin/python tests/faces/build.py --force
	cd build && ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
	  sanitized/bin/pytest -q -p no:cacheprovider ../tests/engine -k "not core_alone"

clean:                     ## everything that was made here
	rm -rf $(VENV) build dist models *.egg-info fastmlp/engine/*.c fastmlp/engine/*.so fastmlp/engine/*.pxi tests/faces/*.c tests/faces/*.so
