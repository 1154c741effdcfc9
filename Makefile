# `make demo` and `make test` each work as the first command on a fresh machine with Python 3.11 to 3.13 and make.
# The newest that runs and can make an environment: a name on the PATH may be a shim of nothing, or lack venv.
PYTHON ?= $(firstword $(foreach each,python3.13 python3.12 python3.11,$(shell $(each) -c 'import ensurepip, venv' 2>/dev/null && echo $(each))))
VENV := .venv
SPARK4 := .venv-spark4
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := test
.PHONY: setup demo dev test test-spark4 beside lint docs unit glue jvm laptop chromium stack stack-1 stack-2 chaos bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "This project needs Python 3.11, 3.12 or 3.13: install one, or name it with 'make PYTHON=/path/to/python3'"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,dev]'
	@touch $@

demo: setup
	$(BIN)/airline demo

dev: setup
	$(BIN)/airline up

# Two at a time, in this order: much of a stack's time is waiting, and what one leaves of the cores the other takes.
test: setup chromium
	$(MAKE) --jobs=2 --output-sync=target -o setup -o chromium lint jvm glue laptop stack-1 stack-2 beside

# Tests start a JVM for many a job, and run two at a time: there the quick compiler alone is the faster one.
glue laptop stack-1 stack-2 chaos: export AIRLINE_JAVA_OPTIONS := -XX:TieredStopAtLevel=1

# `jvm`, although unit tests need none: else they would come before what waits for it, not beside the last stack.
beside: jvm
	nice -n 10 $(MAKE) unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/airline template > $(VENV)/airline.yaml
	$(BIN)/airline template --warehouse > $(VENV)/warehouse.yaml
	$(BIN)/cfn-lint $(VENV)/airline.yaml $(VENV)/warehouse.yaml

docs: setup
	$(BIN)/python -m command.feeds_page > docs/feeds.md
	$(BIN)/python -m command.deploy.permissions.page > docs/permissions.md

unit: setup
	$(BIN)/pytest tests/unit

glue: jvm
	$(BIN)/pytest tests/glue

# The Glue jobs on Spark 4.1 with its ANSI mode, as on Glue 6.0, in an environment of its own.
test-spark4: $(SPARK4)/.ready
	$(SPARK4)/bin/python -m laptop.spark.jvm $(SPARK4)/var/spark-jvm
	$(SPARK4)/bin/pytest tests/glue

$(SPARK4)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SPARK4)
	sed 's/^pyspark==.*/pyspark==4.1.1/' constraints.txt > $(SPARK4)/constraints.txt
	$(SPARK4)/bin/python -m pip install --quiet --disable-pip-version-check -c $(SPARK4)/constraints.txt -e '.[local,dev]'
	@touch $@

# Spark's classes in an archive, once per environment: a worker is then warm in 9 s instead of 15.
jvm: setup
	$(BIN)/python -m laptop.spark.jvm $(VENV)/var/spark-jvm

# The parts of AWS on a laptop, each alone: gateway, Glue engine, Athena, CloudFormation, PostgreSQL.
laptop: jvm
	$(BIN)/pytest tests/laptop --durations=10

BROWSER := { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

# The browser that opens the Dagster UI in tests/stack/browser.
chromium:
	@$(BROWSER) || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update && apt-get install -y --no-install-recommends chromium; } || true
	@$(BROWSER) || { echo "The tests of the UI need a browser, and there is no chromium, chromium-browser or google-chrome on the PATH: install Chromium, on Debian with 'sudo apt-get install chromium'"; exit 1; }

stack: stack-1 stack-2

# A module's first test waits for all its files, beside another stack: a limit that only a hang reaches.
PATIENT := --timeout 900

# Two halves; the second is shorter by about what the unit tests take, which come after it.
HALF := tests/stack/chaos $(patsubst %,tests/stack/test_%.py,refused_first up_down shipments poison)

stack-1: jvm chromium
	$(BIN)/pytest tests/stack $(HALF:%=--ignore=%) $(PATIENT) --durations=20

stack-2: jvm
	$(BIN)/pytest $(HALF) $(PATIENT) --durations=10

# Every component killed at every stage, and every other fault; `stack` runs the short form.
chaos: jvm
	$(BIN)/pytest tests/stack/chaos --chaos full

# The platform beside its peers on the same data; half an hour. `python -m benchmarks --only NAME` is one of them.
bench: $(VENV)/.bench-ready jvm
	$(BIN)/python -m benchmarks

$(VENV)/.bench-ready: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,dev,bench]'
	@touch $@

clean:
	-[ -x $(BIN)/airline ] && $(BIN)/airline down
	rm -rf $(VENV) $(SPARK4) .airline *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
