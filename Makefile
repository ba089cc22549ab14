# make demo | test | lint | docs | clean. Each makes .venv first if it is not there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,docs]"
	touch $@

demo: .venv/installed
	$(BIN)/python examples/quickstart.py --output demo_output

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: .venv/installed
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv build dist docs/_build docs/generated demo_output .pytest_cache .ruff_cache .coverage*
