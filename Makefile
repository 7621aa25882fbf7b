# Lintel: everything a fresh Debian machine needs, in one file. `make run`, `make test`, `make bench`.
# The system's own Python, which is what a device runs; another only where that one is too old or cannot make a venv.
WILL_DO := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell /usr/bin/python3 -c '$(WILL_DO)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
endif
export PYTHON
# Compiled modules are kept beside their sources: without them every process of a device compiles all of it at its start.
unexport PYTHONDONTWRITEBYTECODE
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Which Python the environment was made with: with another one it is made anew.
MADE   := $(VENV)/.python-$(shell $(PYTHON) -c 'import sys; print("%s-%d.%d.%d" % (sys.base_prefix.strip("/").replace("/", "-"), *sys.version_info[:3]))')

.PHONY: run test lint unit bench fuzz crash test-kernel kernel-short rig endurance bench-kernel soak lock messages screenshots clean coverage deb test-deb image sbom advisories cool-off reference

run: $(READY)
	@exec $(BIN)/lintel run $(ARGS)

test: $(READY) lint unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Files beside one another, one a processor: first what runs in virtual time or in its own folder, then what starts whole
# devices, where the few that fail have a second try by themselves (tools/steady.py). A part (ARGS) runs by itself.
BESIDE := -n logical --dist loadfile --max-worker-restart 0
# Those with few tests are not the short ones: their order is that of tests/live/conftest.py.
IN_ORDER := --no-loadscope-reorder
QUICK  := tests/unit tests/behaviour
unit: $(READY)
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest $(BESIDE) $(QUICK)
	$(BIN)/python -m tools.steady $(BESIDE) $(IN_ORDER) $(QUICK:%=--ignore=%)
endif

# Benchmarks stand apart from the tests: they print figures with their peers and assert nothing. One whose peer cannot be
# installed says so and fails; the others go on.
bench: $(READY)
	@sh tools/system-packages.sh benches || echo 'not all peers of the benchmarks could be installed' >&2
	$(BIN)/python bench/run.py $(ARGS)

# Every reader of outside data, SECONDS or INPUTS each; then the property tests with two hundred times the effort.
SECONDS ?= 600
INPUTS  ?= 10000000
fuzz: $(READY) $(VENV)/.atheris
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) --inputs $(INPUTS) $(TARGETS)

# Guides the inputs by coverage. It is not made for every machine; without it inputs are changed at random.
$(VENV)/.atheris: $(READY) requirements/fuzz.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/fuzz.txt || \
		echo 'atheris does not install here: inputs are changed at random'
	touch $@

# Kills and restarts of the whole simulated device, many times.
crash: $(READY)
	LINTEL_CRASH=200 $(BIN)/pytest --timeout 0 tests/live/test_crash.py tests/live/test_reset.py \
		tests/live/test_upgrade_crash.py tests/unit/upgrade/test_model_checker.py $(ARGS)

# The firmware on a kernel's simulated devices (docs/kernel_bench.md); no root, no KVM. The kernel is built once and kept.
# The guest's time is virtual: no test waits, and none is late because the machine has other work.
GUEST := $(BIN)/python tools/kernel-bench/run.py
VIRTUAL = $(GUEST) --virtual --timeout 3600 $(BIN)/pytest --timeout 0 --color=no --bench=kernel

# The guest forgets what it compiles: it is compiled before.
COMPILED = $(BIN)/python -m compileall -q hal firmware boards tests/bench

test-kernel: $(READY)
	$(COMPILED)
	$(VIRTUAL) $(or $(ARGS),tests/guest tests/behaviour)

kernel-short: $(READY)
	$(COMPILED)
	$(VIRTUAL) $(ARGS) tests/guest --ignore=tests/guest/whole @tests/behaviour/kernel_core.txt

# The behaviour tests on a Pi with wires, by its wiring file (docs/rig.md). To be run on that Pi.
rig: $(READY)
	@test -n "$(RIG)" || { echo 'make rig RIG=FILE, such as tests/bench/rig/looped_pi.toml' >&2; exit 2; }
	$(COMPILED)
	$(BIN)/pytest --timeout 0 --bench=rig:$(RIG) --report reports/rig $(or $(ARGS),tests/behaviour)

# A relay of a rig, CYCLES times on and off, its contact watched; the report is left in REPORT.
CYCLES ?= 10000
REPORT ?= reports/endurance
endurance: $(READY)
	@test -n "$(RIG)" || { echo 'make endurance RIG=FILE, such as tests/bench/rig/usb_relays.toml' >&2; exit 2; }
	$(BIN)/python -m tests.bench.rig.endurance --rig $(RIG) --cycles $(CYCLES) --report $(REPORT) $(ARGS)

# What the tests of both benches reach of the code next to the hardware: the table of statements, and 1 below 95 %.
COVERED := .coverage-data
NEAR_HARDWARE := $(addprefix tests/unit/,audio buses camera cards clips drivers osdp sim sound watch) \
	tests/live/test_pulse_process.py

coverage: $(READY) $(VENV)/.coverage
	$(COMPILED)
	rm -rf $(COVERED)
	mkdir $(COVERED)
	COVERAGE_FILE=$(CURDIR)/$(COVERED)/sim $(BIN)/coverage run -m pytest $(NEAR_HARDWARE)
	COVERAGE_FILE=$(CURDIR)/$(COVERED)/kernel $(GUEST) --virtual --write $(CURDIR)/$(COVERED) --timeout 7200 \
		$(BIN)/coverage run -m pytest --timeout 0 --color=no --bench=kernel tests/guest tests/behaviour/test_chip_reader.py
	COVERAGE_FILE=$(COVERED)/both $(BIN)/coverage combine -q $(COVERED)/*
	COVERAGE_FILE=$(COVERED)/both $(BIN)/coverage report

$(VENV)/.coverage: $(READY) requirements/coverage.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/coverage.txt
	touch $@

# Figures of one run, in real time: what the guest's kernel and we cost, ten thousand cards, a hundred restarts.
bench-kernel: $(READY)
	$(COMPILED) bench
	@echo "others on this machine before: load $$(cut -d' ' -f1-3 /proc/loadavg) on $$(nproc) processors"
	PYTHONPATH=. $(GUEST) --timeout 3600 $(BIN)/python bench/kernel_bench.py $(ARGS)
	@echo "and with the guest after: load $$(cut -d' ' -f1-3 /proc/loadavg)"

# A thousand restarts, then a week of idling with a card an hour and two changes of the clocks.
soak: $(READY)
	LINTEL_RESTARTS=1000 $(GUEST) --virtual --timeout 14400 $(BIN)/pytest --timeout 0 -v tests/guest/test_guest_endings.py -k restarts
	PYTHONPATH=. $(GUEST) --virtual --timeout 14400 $(BIN)/python bench/kernel_soak.py $(ARGS)

$(READY): requirements/dev.txt pyproject.toml tools/system-packages.sh $(MADE)
	sh tools/system-packages.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lintel needs Python 3.11 or newer")'
	$(PYTHON) -m venv --clear $(VENV)
	touch $(MADE)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

$(MADE):
	mkdir -p $(VENV)
	touch $@

# The Debian package, for the release and the architecture of this machine: units, rules, and the program in an
# environment of its own.
DEB := dist/lintel.deb
deb: $(READY)
	$(BIN)/python -m tools.package.deb $(DEB)

# Installs it into a clean Debian (debootstrap; kept packed in the cache), starts it there, and purges it.
test-deb: deb
	LINTEL_DEB=$(abspath $(DEB)) $(BIN)/pytest -m package tests/package $(ARGS)

# The image of a card with two slots, and the bundle that upgrades it (docs/flash.md). KEYS: made by `lintel bundle keys`.
# SYSTEM and BOOT: a Debian with the package, and a board's boot files; without them only the layout is there.
KEYS ?= keys
image: $(READY)
	$(BIN)/python -m tools.package.image --keys $(KEYS) $(SYSTEM:%=--system %) $(BOOT:%=--boot %) $(ARGS) dist/image

# What is in the firmware, with versions and hashes (CycloneDX).
sbom: $(READY)
	$(BIN)/python -m tools.package.sbom dist/lintel.cdx.json

# Known flaws in what is locked: FILE is an export in the OSV format that somebody has fetched; nothing is asked over a network.
advisories: $(READY)
	@test -n '$(FILE)' || { echo 'advisories: say FILE=..., an export of PyPI advisories in the OSV format' >&2; exit 2; }
	@$(BIN)/python -m tools.package.advisories '$(FILE)'

# Needs uv; writes both locks for all supported Python versions, without index addresses.
# What was published in the last two days is not taken: a poisoned release is often found in that time.
COOL_OFF = $(shell date -u -d '2 days ago' +%Y-%m-%dT%H:%M:%SZ)
cool-off:
	@echo '$(COOL_OFF)'

lock:
	uv pip compile -q --exclude-newer '$(COOL_OFF)' --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra dev --extra lgpio pyproject.toml -o requirements/dev.txt
	uv pip compile -q --exclude-newer '$(COOL_OFF)' --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml -o requirements/base.txt
	uv pip compile -q --exclude-newer '$(COOL_OFF)' --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		requirements/fuzz.in -o requirements/fuzz.txt
	uv pip compile -q --exclude-newer '$(COOL_OFF)' --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		requirements/coverage.in -o requirements/coverage.txt

# Brings the catalogues of the web interface in step with its texts, and says what is to be translated.
messages: $(READY)
	$(BIN)/python tools/messages.py

# The reference pages and the wiring diagrams of the documentation, from the code.
reference: $(READY)
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.drawings

# Every page of the web interface as a picture, into docs/images/web.
screenshots: $(READY)
	$(BIN)/python tools/screenshots.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
