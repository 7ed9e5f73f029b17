# Two commands: `make run` and `make test`. Both set up what they need, and are safe to run again.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEISLOOP_HOME ?= $(CURDIR)/.seisloop
SEISLOOP_PORT ?= 8000
export SEISLOOP_HOME SEISLOOP_PORT
# glibc hands memory back too eagerly for torch; kept, it is reused (1.4-2 times the throughput).
export MALLOC_MMAP_THRESHOLD_ = 4294967296
export MALLOC_TRIM_THRESHOLD_ = 8589934592
export MALLOC_TOP_PAD_ = 67108864
# Threads that wait for each other give the core away: worth most where the machine is busy.
export OMP_WAIT_POLICY = passive

# What a browser does to the database: on PostgreSQL too.
FLOWS := $(addprefix tests/frontend/test_,review_flows.py review_blind.py queue_page.py bulk.py)

.PHONY: help run test lint bench clean

help:  ## show these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 10

run: $(VENV)/installed  ## set up, build the demo sites, serve on SEISLOOP_PORT (8000) with data in SEISLOOP_HOME
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python manage.py serve --demo

test: $(VENV)/installed-test  ## every test: SQLite, PostgreSQL, Redis, Chromium, real data where present
	@sh tests/get_chromium.sh
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	SEISLOOP_TEST_DATABASE=postgres $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not once" tests/labelapp $(FLOWS)

lint: $(VENV)/installed-test  ## ruff, mypy, the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mlcore labelapp
	$(BIN)/lint-imports

bench: $(VENV)/installed-test  ## speed, as ratios against a stated baseline of the same run
	$(BIN)/python -m tests.benchmarks

clean:  ## remove the virtual environment (not the data)
	rm -rf $(VENV)

# Debian packs ensurepip apart; pip itself can fill the environment.
$(BIN)/pip:
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Seisloop needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --disable-pip-version-check pip==26.3

$(VENV)/installed: pyproject.toml | $(BIN)/pip
	@echo "Installing Seisloop: about 700 MB where pip finds a CPU build of torch, minutes"
	@$(BIN)/pip install --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/pip
	@echo "Installing Seisloop and what its tests need"
	@$(BIN)/pip install --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/installed
