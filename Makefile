# On a fresh machine two commands suffice: `make quickstart` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm

.PHONY: quickstart test docs licences simulate test-slow test-launch test-vllm bench lint format clean

quickstart: $(VENV)/.installed  ## install, then search with the built-in example
	$(BIN)/swarm search configs/quickstart.yaml

test: $(VENV)/.installed-dev lint  ## install, then run linters and tests, two files at a time
	$(BIN)/pytest -n 2 --max-worker-restart 0

simulate: $(VENV)/.installed-dev  ## simulate a cluster for a thousand seeds: crashes, lost nodes, a killed driver
	$(BIN)/pytest -m slow tests/workers/scheduling/test_simulation.py

test-slow: $(VENV)/.installed-dev  ## run the tests that take minutes or need the smollm2 zoo
	$(BIN)/pytest -m "slow or real"

test-launch: $(VENV)/.installed-dev  ## test the launchers on a cluster of two nodes: submit, watch, stop, resume
	$(BIN)/pytest -m "slow or not slow" tests/launch/test_launch.py

test-vllm: $(VLLM)/.installed  ## test the vLLM engine, in an environment of its own
	$(VLLM)/bin/pytest -m vllm tests/engines/vllm_engine/test_vllm.py

# Takes about an hour on two idle cores. SWARM_LMEVAL names the python of an environment with the `bench` extra.
bench: $(VENV)/.installed-zoo  ## measure speed against other tools and write docs/benchmarks.md
	$(BIN)/python tests/benchmarks/table.py

docs: $(VENV)/.installed-dev  ## write the documentation as a site to docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

licences: $(VENV)/.installed-dev  ## write docs/licences.md from the metadata of what is installed
	$(BIN)/python tests/support/licences_page.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/benchmarks/mypy.ini

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VLLM) .pytest_cache .mypy_cache .ruff_cache

# torch is installed first, by its exact version: a bare `torch` would install the newest build and its CUDA packages.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0
	touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-zoo: $(VENV)/.installed pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[zoo]"
	touch $@

$(VLLM)/.installed: requirements-vllm.txt pyproject.toml
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --no-deps --requirement requirements-vllm.txt
	$(VLLM)/bin/pip install --quiet --no-deps --editable .
	touch $@
