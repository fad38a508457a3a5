# Everything that these make lies below .bothways/; `make clean` removes it.
BIN := .bothways/venv/bin
# Which tests `make test` runs.
MARKERS ?= not distributed and not soak
# How many processes run them; one of these runs the tests that need Airflow (docs/testing.md).
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --max-worker-restart 2
RUN := $(BIN)/python
export PYTHONPYCACHEPREFIX := $(CURDIR)/.bothways/cache/python
# Without compiled modules each process of Airflow takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo stop clean sandbox test test-distributed test-dates soak mutants lint format lock audit bench runtime tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  BOTHWAYS_PORT=8080 and BOTHWAYS_SANDBOX_PORT=8900 choose the ports; PYTHON chooses the interpreter."

demo: runtime ## start everything on this machine, sync the demo account, and show what happened
	@$(RUN) -m demo up

stop: ## stop what `make demo` started
	@if $(RUN) -c 'import psutil' 2>/dev/null; then $(RUN) -m demo down; else echo "Nothing is running."; fi

clean: stop ## stop everything, and remove what was created
	@if [ -f .bothways/elsewhere ]; then while read -r place; do rm -rf "$$place"; done < .bothways/elsewhere; fi
	@rm -rf .bothways
	@echo "Removed .bothways/."

sandbox: runtime ## run the vendors' sandbox alone, in the foreground
	@$(RUN) -m sandbox --port $${BOTHWAYS_SANDBOX_PORT:-8900} --data .bothways/sandbox

test: tools ## run the test suite, except tests that need Celery workers
	@$(RUN) -m pytest $(SIDE_BY_SIDE) -m "$(MARKERS)"

test-distributed: tools ## sync 10,000 people on two Celery workers, and kill one of them
	@$(RUN) -m pytest tests/distributed -m distributed

test-dates: tools ## run tests that depend on the clock at awkward dates and in other time zones (needs faketime)
	@$(RUN) -m tests.support.elsewhen

bench: tools ## measure plans, syncs, campaigns, audiences, rows of the store, idle runs, and the console
	@$(RUN) -m benchmarks.plan_speed
	@$(RUN) -m benchmarks.two_way
	@$(RUN) -m benchmarks.campaigns
	@$(RUN) -m benchmarks.audience
	@$(RUN) -m benchmarks.store_rows
	@$(RUN) -m benchmarks.idle_run
	@if [ -f benchmarks/console_pages.py ]; then $(RUN) -m benchmarks.console_pages; fi

soak: tools ## live 10,000 random histories between both vendors (BOTHWAYS_HISTORIES=n for fewer)
	@BOTHWAYS_HISTORIES=$${BOTHWAYS_HISTORIES:-10000} $(RUN) -m pytest $(SIDE_BY_SIDE) tests/soak -m soak

mutants: tools ## run mutation tests of the code that protects consent and data (ONLY=guard for one group)
	@$(RUN) -m tests.mutants $(ONLY)

lint: tools ## check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .bothways/cache/imports

format: tools ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

lock: tools ## update the pinned, hashed requirements from pyproject.toml, sandbox/pyproject.toml and requirements*.in
	@for name in requirements requirements-dev; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	        --custom-compile-command "make lock" pyproject.toml sandbox/pyproject.toml $$name.in \
	        --output-file $$name.txt || exit 1; \
	done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --exclude-newer 2026-05-01 \
	    --custom-compile-command "make lock" pyproject.toml tests/packages/lowest.in \
	    --output-file tests/packages/lowest.txt

audit: tools ## look up the locked packages in PyPI's database of known vulnerabilities (needs the internet)
	@for name in requirements requirements-dev; do \
	    $(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes \
	        --progress-spinner off --requirement $$name.txt || exit 1; \
	done

runtime:
	@sh demo/install.sh requirements.txt

tools:
	@sh demo/install.sh requirements-dev.txt
