# Wattledger: everything below works on a machine with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-field test-payments test-kafka test-long fuzz lint bench docs clean help

help:
	@echo "make demo        set everything up and watch the main job run"
	@echo "make test        set everything up and run the tests"
	@echo "make test-field  500 runs of the collector's fault campaign (about a quarter of an hour)"
	@echo "make test-payments  serve and payments killed at 100 instants between a webhook and the ledger, and while charging"
	@echo "make test-kafka  the integration tests against Apache Kafka (needs Java 17+ and Maven)"
	@echo "make test-long   the properties with more than a thousand examples each (a quarter of an hour or more)"
	@echo "make fuzz        random bytes as Modbus answers, registration packets and MQTT payloads (EXAMPLES=100000)"
	@echo "make lint        ruff, mypy --strict, import-linter"
	@echo "make bench       measurements, printed as ratios"
	@echo "make docs        write docs/events.md, the page of every event type, from the code"
	@echo "make clean       remove .venv and .wattledger"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Wattledger needs Python 3.11 or newer; $$($(PYTHON) --version) is here. Set PYTHON=python3.x"; exit 1; }
	@echo "Setting up $(VENV) (about a minute the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server,embedded,dev]'
	@touch $(STAMP)

demo: setup
	@$(BIN)/wattledger demo

# Three processes on two cores: many tests wait for something that is killed, stalled or started.
test: setup
	@$(BIN)/pytest -n 3 --dist loadgroup

test-field: setup
	@WATTLEDGER_FIELD_RUNS=$${WATTLEDGER_FIELD_RUNS:-500} $(BIN)/pytest tests/field -s

test-payments: setup
	@WATTLEDGER_PAYMENT_KILLS=$${WATTLEDGER_PAYMENT_KILLS:-100} $(BIN)/pytest -s tests/payments/test_killed.py tests/payments/test_autopay_unanswered.py

test-kafka: setup
	@WATTLEDGER_TEST_BROKER=apache $(BIN)/pytest -m kafka

test-long: setup
	@WATTLEDGER_HYPOTHESIS=long $(BIN)/pytest -n 2 --timeout 3600 $(LONG)

EXAMPLES ?= 100000
fuzz: setup
	@WATTLEDGER_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest --timeout 7200 -k whatever tests/collectors/test_frames.py tests/collectors/test_mqtt.py

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup
	@$(BIN)/wattledger bench $(BENCH)

docs: setup
	@$(BIN)/wattledger events catalogue > docs/.events.md && mv docs/.events.md docs/events.md

clean:
	@rm -rf $(VENV) .wattledger
