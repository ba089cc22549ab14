# make demo | test | test-clients | test-oldest | test-minimal | coverage | results-check | lint | docs | clean.
# Each makes its environment first if it is not there.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip install --quiet --no-compile --constraint
EXTRAS := adapters,agreement,annotations,audb,audformat,augment,containers,distributed,embeddings,hub,onnx,opensmile,plot,report,rooms
# Made-up data alone, no doctests, no coverage, and a core each: they run side by side.
REDUCED := env -u SKSER_DATA -u SKSER_MODELS OMP_NUM_THREADS=1
PYTEST := -m pytest -o addopts=--strict-markers -p no:cacheprovider -q --disable-warnings

.PHONY: demo test test-clients test-oldest test-minimal coverage results-check lint docs clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,docs]"
	touch $@

demo: .venv/installed
	$(BIN)/python examples/quickstart.py --output demo_output

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 --durations=25 --ignore=tests/clients

.venv/clients: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[clients]"
	touch $@

# Other libraries that take estimators.
test-clients: .venv/clients
	$(BIN)/python -m pytest tests/clients

.venv-oldest/installed: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python $(INSTALL) constraints-oldest.txt --editable ".[$(EXTRAS)]" \
		pytest audmetric torchmetrics
	touch $@

# The oldest versions of everything, with what depends on versions most.
test-oldest: .venv-oldest/installed
	$(REDUCED) .venv-oldest/bin/python $(PYTEST) -W "ignore:lbfgs failed to converge" \
		-k "not (bfloat16 or bit_for_bit or padding or taken_over or search_over_speakers)" \
		$(addprefix tests/,test_common.py test_pipelines.py test_optional.py cli metrics \
		model_selection/test_speaker_folds.py evaluation/test_report.py \
		feature_extraction/test_text_embedding.py persistence/test_sklearn.py \
		export/test_onnx_networks.py datasets/test_annotations.py)

.venv-minimal/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-minimal
	.venv-minimal/bin/python $(INSTALL) constraints.txt --editable . pytest
	touch $@

# No extra installed.
test-minimal: .venv-minimal/installed
	$(REDUCED) .venv-minimal/bin/python $(PYTEST) -k "not search_over_speakers" \
		$(addprefix tests/,test_optional.py test_package.py test_pipelines.py cli \
		persistence/test_round_trips.py)

coverage: .venv/installed
	$(BIN)/python -m pytest --cov=skser --cov-report=term

# Lists results that other code made, and summaries that do not follow from their predictions.
results-check: .venv/installed
	$(BIN)/python benchmarks/results_check.py

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pylint skser benchmarks examples tests

docs: .venv/installed
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv .venv-oldest .venv-minimal build dist docs/_build docs/generated demo_output .pytest_cache .ruff_cache .coverage*
