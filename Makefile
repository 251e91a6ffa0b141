# Works on a fresh machine with Python 3.11 or newer, git and make; scripts/bootstrap.sh makes .venv.

PYTHON := .venv/bin/python
LOCK := pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
WORKERS ?= 2
# The client targets an older Python and has a configuration of its own, so the project's leaves it out.
CLIENT := local_skills/modal-invoke
DEPLOY ?= -m agents.main

.PHONY: help setup dev test test-slow test-modal lint format demo bench lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

setup:  ## .venv with the `agents` command
	@scripts/bootstrap.sh requirements.txt

dev:  ## .venv with what tests and checks need too
	@scripts/bootstrap.sh requirements-dev.txt

test: dev  ## every test but the slow ones
	$(PYTHON) -m pytest -n $(WORKERS) -m "not slow"

test-slow: dev  ## the proofs that take longer
	$(PYTHON) -m pytest -n $(WORKERS) -m slow

test-modal: dev  ## stories against a deployed app; PLANE=the stand-in for Modal's control plane
	@test -f "$(PLANE)" || { echo "Say where the stand-in is: make test-modal PLANE=modal_plane.py" >&2; exit 2; }
	PATH="$(CURDIR)/.venv/bin:$$PATH" MODAL_CONFIG_PATH=/dev/null LIVE_DEPLOY="$(DEPLOY)" \
	$(PYTHON) -m tests.live.deployed.surroundings \
	python $(PLANE) $(filter -m,$(DEPLOY)) --deploy $(filter-out -m,$(DEPLOY)) --cwd . --secrets {secrets} \
	--boot --venvs --json /dev/null --then "pytest tests/live/deployed tests/stories"

lint: dev  ## style and types
	.venv/bin/ruff check . $(CLIENT)
	.venv/bin/ruff format --check . $(CLIENT)
	.venv/bin/mypy
	MYPYPATH=$(CLIENT)/lib .venv/bin/mypy $(CLIENT)/lib/modal_invoke

format: dev  ## puts the style right where that needs no thought
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

demo: setup  ## a server, two skills, no accounts needed; leaves nothing behind
	@$(PYTHON) scripts/demo.py

bench: dev  ## the figures of benchmarks/, measured on this machine
	$(PYTHON) benchmarks/imports.py
	$(PYTHON) benchmarks/ladder.py
	$(PYTHON) benchmarks/events.py
	$(PYTHON) benchmarks/backlog.py

lock: dev  ## makes the requirement files anew, from pyproject.toml
	@uv=$$(command -v uv || echo .venv/bin/uv); \
	$$uv $(LOCK) -o requirements.txt && $$uv $(LOCK) --extra dev -o requirements-dev.txt

clean:  ## removes .venv and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
