# Every check and every build has its one place here: the pre-commit hooks and .ci/run call these targets and nothing else.
#
#   make demo     set up everything and run the main job end to end on this machine
#   make test     set up everything and run all tests (brokers for them need a JDK 17 and Maven)
#
# A fresh clone needs a Rust toolchain, a C compiler and Python 3.11 or newer; `make PYTHON=python3.12 ...` names another.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
# A stamp lives in the environment that it speaks of, so that both go away together.
INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml)
# The binding is a thin shim over the two other crates; its test binary would need a shared libpython, and the Python
# tests go through it anyway.
CARGO_TEST := cargo test --workspace --exclude kcompare-py --locked

export VIRTUAL_ENV := $(VENV)
export PYO3_PYTHON := $(BIN)/python

.PHONY: help install build format lint types test test-rust test-python bench docs demo ci lock clean

help: ## Show the targets.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(INSTALLED) ## Make .venv with the locked requirements.

$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kcompare needs Python 3.11 or newer, not {}.{}: run make PYTHON=/path/to/python".format(*sys.version_info))'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

build: $(BUILT) ## Build the extension as it is released, into .venv.

$(BUILT): $(INSTALLED) pyproject.toml Cargo.toml Cargo.lock $(RUST_SOURCES)
	@echo "Building the extension with full optimisation; the first time takes some minutes."
	@PATH="$(BIN):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

format: install ## Format Rust and Python.
	cargo fmt --all
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lint: install ## Formatting, clippy, ruff and the import contracts.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYTHONPATH=python $(BIN)/lint-imports --no-cache

types: install ## Check the types of the package, the tests and the benches.
	$(BIN)/mypy --strict

test: test-rust test-python ## All tests, of both languages and every layer.

test-rust:
	$(CARGO_TEST)

test-python: build
	$(BIN)/pytest

bench: build ## Time everything; BENCH_ARGS="--records 500000 --rounds 1 --sizes 100 --codecs none" for a short run.
	cargo bench --workspace --exclude kcompare-py --locked
	$(BIN)/python -m benches.instructions
	$(BIN)/python -m benches.end_to_end $(BENCH_ARGS)

docs: install ## Build the reference of the crates; a broken link fails.
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

demo: build ## The main job end to end on this machine, with nothing else installed.
	$(BIN)/kcompare demo

ci: ## What runs for every change, from a fresh clone.
	.ci/run

lock: install ## Resolve requirements/dev.txt again from pyproject.toml.
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet --disable-pip-version-check uv
	.cache/lock/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --quiet \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements/dev.txt

clean: ## Remove everything that make has made.
	rm -rf .venv .cache target python/kcompare/*.so
