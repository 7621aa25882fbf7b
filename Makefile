# Lintel: everything a fresh Debian machine needs, in one file. `make run`, `make test`, `make bench`.
export PYTHON ?= python3
# Compiled modules are kept beside their sources: without them every process of a device compiles all of it at its start.
unexport PYTHONDONTWRITEBYTECODE
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: run test lint unit bench fuzz crash test-kernel kernel-short bench-kernel soak lock clean

run: $(READY)
	@exec $(BIN)/lintel run $(ARGS)

test: $(READY) lint unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(READY)
	$(BIN)/pytest $(ARGS)

# Benchmarks stand apart from the tests: they print figures with their peers and assert nothing.
bench: $(READY)
	$(BIN)/python bench/run.py $(ARGS)

# The property tests again, with two hundred times the effort.
fuzz: $(READY)
	LINTEL_FUZZ=200 $(BIN)/pytest --timeout 0 tests/unit $(ARGS)

# Kills and restarts of the whole simulated device, many times.
crash: $(READY)
	LINTEL_CRASH=200 $(BIN)/pytest --timeout 0 tests/live/test_crash.py tests/live/test_reset.py \
		tests/live/test_upgrade_crash.py tests/unit/upgrade/test_model_checker.py $(ARGS)

# The firmware on a kernel's simulated devices (docs/kernel_bench.md); no root, no KVM. The kernel is built once and kept.
# What touches devices runs in real time, the behaviour tests in the guest's virtual time: no test's clock is pytest's.
GUEST := $(BIN)/python tools/kernel-bench/run.py
BEHAVE = $(GUEST) --virtual --timeout 3600 $(BIN)/pytest --timeout 0 --bench=kernel

test-kernel: $(READY)
	$(GUEST) $(BIN)/pytest --timeout 0 tests/guest
	$(BEHAVE) $(or $(ARGS),tests/behaviour)

kernel-short: $(READY)
	$(GUEST) $(BIN)/pytest --timeout 0 tests/guest
	$(BEHAVE) $(ARGS) tests/behaviour/test_door.py tests/behaviour/test_ports.py

# Figures of one run in the guest, and what a thousand restarts of the firmware do to a relay.
bench-kernel: $(READY)
	$(GUEST) --timeout 1800 $(BIN)/python bench/kernel_bench.py $(ARGS)

soak: $(READY)
	$(GUEST) --virtual --timeout 14400 $(BIN)/python bench/kernel_soak.py $(ARGS)

$(READY): requirements/dev.txt pyproject.toml tools/system-packages.sh
	sh tools/system-packages.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lintel needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# Needs uv; writes both locks for all supported Python versions, without index addresses.
lock:
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra dev --extra lgpio pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml -o requirements/base.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
