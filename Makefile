PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
SDK := .venv-sdk
SPARK := .venv-spark
PEERS := .venv-peers
AUDIT := .venv-audit
MATRIX := .venv-matrix
BROWSER := .venv-browser
KERNEL := $(wildcard aporia_provider/monitoring/kernel/*.[ch])
LIBRARIES := nannyml whylogs evidently dataframes
BIN := $(VENV)/bin
HISTORIES ?= 300
CRASHES ?= 50
YEARS ?= 20
REQUESTS ?= 1000000
KILLS ?= 1000
RACES ?= 10000
# Environments of make test-matrix: the name, the version of Python, and the constraints of each.
ENVIRONMENTS ?= python3.12=3.12=constraints.txt python3.13=3.13=constraints.txt \
	airflow3.1=3.11=tests/matrix/constraints-airflow-3.1.txt
SOAK ?= tests/soak
# The modules whose tests are smaller or fewer in make test: those that import tests/sizes.py or hypothesis, whose
# number of examples tests/conftest.py sets, and those with tests that are marked long.
FULL_SIZE ?= $(shell grep -rlE "^(from (tests.sizes|hypothesis)|import hypothesis|@pytest.mark.long)" tests --include="test_*.py" \
	--exclude-dir=soak --exclude-dir=spark | sort)
PIP := -m pip --disable-pip-version-check --no-input install --quiet

# Bytecode is kept: each process of a test would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo screenshots check test test-fast test-slow test-numpy test-long test-matrix test-spark test-browser soak lint docs audit setup bench clean

demo: setup
	$(BIN)/python demo/run.py

# The pictures of the page in docs/images, with the data that make demo has left.
screenshots: setup $(BROWSER)/.done
	$(BIN)/python demo/screenshots.py

# The linters, and the tests that compute for a moment and start no engine, server, database server or Airflow.
check: setup
	$(MAKE) --no-print-directory -j 2 lint test-fast

test-fast: setup
	$(BIN)/python -m pytest -m fast -n 2 --dist worksteal -q -p no:schemathesis

# Every area once from end to end: the fast tests, and those with an engine, a server, a database server or a DAG.
test: setup $(SDK)/.done
	$(BIN)/python -m pytest -m "not very_slow" -n 2 --dist loadfile --no-loadscope-reorder

# The other tests: a whole Airflow, processes that are killed, stalled or flooded, random requests and histories.
test-slow: setup $(SDK)/.done
	$(BIN)/python -m pytest -m very_slow -n 2 --dist loadfile --no-loadscope-reorder

# What computes profiles, with numpy instead of the kernel, and the tests of the kernel with sanitizers.
test-numpy: setup
	APORIA_KERNEL=numpy $(BIN)/python -m pytest -n 2 --dist worksteal -q tests/monitoring tests/engine/test_profiling.py \
		tests/backend/test_histories.py
	PYTHON=$(BIN)/python tests/kernel/run_sanitizers.sh

# Many random histories, many syncs that are killed, and the tests of FULL_SIZE in their full size. HISTORIES and
# CRASHES: how many histories and kills.
test-long: setup
	APORIA_HISTORIES=$(HISTORIES) APORIA_CRASHES=$(CRASHES) $(BIN)/python -m pytest -n 2 --timeout 3600 \
		tests/backend/test_histories.py tests/backend/test_sync_crash.py
	$(if $(strip $(YEARS)),APORIA_SIMULATED_YEARS=$(YEARS) $(BIN)/python -m pytest -n 2 --timeout 3600 \
		tests/monitoring/verdicts)
	$(if $(strip $(FULL_SIZE)),APORIA_FULL_SIZE=1 $(BIN)/python -m pytest -n 2 --timeout 3600 $(FULL_SIZE))

# Hostile requests, killed processes and registrations that race: REQUESTS, KILLS and RACES say how many. SEED
# repeats a run. The full size takes hours.
soak: setup
	APORIA_SOAK_REQUESTS=$(REQUESTS) APORIA_SOAK_KILLS=$(KILLS) APORIA_SOAK_RACES=$(RACES) \
		APORIA_SOAK_SEED=$(SEED) $(BIN)/python -m pytest $(SOAK) -p no:cacheprovider \
		-o log_cli=true -o log_cli_level=INFO

test-spark: setup $(SPARK)/.done
	$(BIN)/python -m pytest tests/spark --timeout 600

# The page in a browser: Debian's Chromium, which is installed if it is missing and the user may do that.
test-browser: setup $(BROWSER)/.done
	APORIA_BROWSER_ENVIRONMENT=$(BROWSER) $(BIN)/python -m pytest tests/browser --timeout 300

# The fast tests and a few DAGs on other versions of Python, and on the oldest Airflow that is supported.
test-matrix:
	tests/matrix/run_matrix.sh $(MATRIX) $(ENVIRONMENTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Writes docs/_build; warnings are errors.
docs: setup
	$(BIN)/sphinx-build -n -W --keep-going --quiet docs docs/_build

# Fails if a pinned package has a known vulnerability, and also if the advisories cannot be reached.
audit: $(AUDIT)/.done
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# Fails in the end if something that is wanted was not reached. DATA: a folder with the census and the
# California data, to compare distances with NannyML's.
bench: setup $(SPARK)/.done $(LIBRARIES:%=$(PEERS)/%/.done)
	@status=0; for what in import_time preflight kernel profile "profile --rows 100_000_000 --sorted-only" peers sync due states segments monitors \
			expected sensors page \
			$(if $(DATA),"agreement $(DATA)"); do \
		echo "-- $$what"; \
		$(BIN)/python -W ignore -m benchmarks.$$what || status=1; \
	done; exit $$status

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt hatch_build.py $(KERNEL)
	@echo "Setting up $(VENV); this takes a few minutes once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --constraint constraints.txt --editable ".[test,lint,docs]"
	$(BIN)/aporia-provider about
	@touch $@

$(SDK)/.done: tests/compat/constraints-sdk.txt tests/compat/make_sdk_venv.sh
	PYTHON=$(PYTHON) bash tests/compat/make_sdk_venv.sh $(SDK)
	@touch $@

$(SPARK)/.done: tests/spark/constraints-spark.txt tests/spark/pom.xml tests/spark/make_spark_venv.sh
	@echo "Setting up $(SPARK); this takes a minute or more once."
	PYTHON=$(PYTHON) bash tests/spark/make_spark_venv.sh $(SPARK)
	@touch $@

$(BROWSER)/.done: constraints.txt tests/browser/make_browser_env.sh
	PYTHON=$(BIN)/python bash tests/browser/make_browser_env.sh $(BROWSER)
	@touch $@

$(PEERS)/%/.done: benchmarks/peer_runs/constraints-%.txt benchmarks/peer_runs/make_peer_venv.sh
	@echo "Setting up $(PEERS)/$*; this takes a few minutes once."
	PYTHON=$(PYTHON) sh benchmarks/peer_runs/make_peer_venv.sh $* $(PEERS)/$*
	@touch $@

$(AUDIT)/.done:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python $(PIP) pip-audit
	@touch $@

clean:
	rm -rf $(VENV) $(MATRIX) $(AUDIT) $(BROWSER) $(SDK) $(SPARK) $(PEERS) .demo docs/_build
