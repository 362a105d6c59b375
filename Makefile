# Every target prepares what it needs on a bare Debian 12 machine (root, or a user with sudo).
PY := .venv/bin/python
SETUP_RUN := contrib/setup/setup.sh run
SETUP_TEST := contrib/setup/setup.sh test
# Two at a time, the tests of a file one after the other; what is real is measured by clocks and runs alone.
BESIDE := -n 2 --dist loadfile
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help setup setup-test demo demo-clean check unit lab bench lint format house clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## what running Virgate needs: packages, .venv with virgated and virgate
	@$(SETUP_RUN)

setup-test:
	@$(SETUP_TEST)

demo: setup ## the main job on real input: storage, hook, guest, recovery; prints a table
	@contrib/guest/build.sh
	@$(SUDO) $(PY) contrib/demo/demo.py

demo-clean: ## removes what the demo left: its state folder
	@$(SUDO) rm -rf build/demo

check: setup-test ## every test of one host
	@contrib/guest/build.sh
	@$(SUDO) $(PY) -m pytest $(BESIDE) tests/unit tests/plugins tests/guest tests/contract tests/conformance
	@$(SUDO) $(PY) -m pytest tests/real

unit: setup-test ## the tests without I/O
	@$(PY) -m pytest $(BESIDE) tests/unit tests/plugins tests/guest

lab: setup-test ## the tests with several hosts: namespaces, user-mode Linux, NFS, iSCSI, sanlock
	@contrib/guest/build.sh
	@$(SUDO) $(PY) -m pytest -m lab tests/lab $(BESIDE)

bench: setup-test ## measures what the documentation promises; writes build/bench.json and a table
	@contrib/guest/build.sh
	@$(SUDO) $(PY) tests/bench/run.py

lint: setup-test ## format, lint, types, floors
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

format: setup-test ## rewrites the code in the house's format
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

house: setup-test ## the ten longest modules, widest classes, longest functions
	@$(PY) contrib/house.py

clean: demo-clean ## removes what was built, the virtual environment too
	@rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
