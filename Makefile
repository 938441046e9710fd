# Everything a newcomer needs; each target does its own set-up. No root, no key, no server.
SHELL := /bin/bash
BIN := .venv/bin
# Many containers forbid to keep compiled modules, so that every process compiles everything again; `clean` removes ours.
unexport PYTHONDONTWRITEBYTECODE
# Tests that start processes wait for them: one more than two cores can run keeps both busy.
TESTERS ?= 3
.PHONY: help demo test setup check bench clean dev chaos simulate

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## create .venv with the hash-locked packages and compile the kernels
	@scripts/setup.sh run

dev: ## the same, with the tools for checking and testing
	@scripts/setup.sh dev

demo: setup ## replay the flash crash of 6 May 2010 from wire to booked fill (ARGS="--exit --json")
	@$(BIN)/tapeline demo $(ARGS)

test: dev ## run the whole suite (ARGS="-k name" narrows it)
	@$(BIN)/python scripts/browser_note.py
	@$(BIN)/pytest -n $(TESTERS) --dist worksteal $(ARGS)

check: dev ## format, lint, types, layer law
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: ## run every benchmark beside its peers and print one JSON line each
	@scripts/setup.sh bench
	@$(BIN)/tapeline bench all $(ARGS)

chaos: dev ## kill worker and stream server 120 times, a cluster's nodes 40 times, the poller 10 times; 1,000 deaths in memory
	@CHAOS=1 $(BIN)/pytest tests/live/test_chaos.py tests/live/test_kills.py tests/feed/test_kill_poller.py \
	  tests/feed/test_poller_kills.py tests/store/test_roll_kills.py \
	  tests/live/test_failover.py tests/live/test_cluster.py $(ARGS)

simulate: dev ## a thousand seeded deaths in memory, and every schedule of workers and routers
	@CHAOS=1 $(BIN)/pytest tests/live/test_kills.py tests/live/test_recovery.py tests/streams tests/store/test_retention.py \
	  -q -m "not process" $(ARGS)

clean: ## remove the environment and every cache
	rm -rf .venv build dist out .ruff_cache .mypy_cache .import_linter_cache .hypothesis .pytest_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
