# One verb for each habit. Needs make and Python 3.11 or newer (with its venv module); everything else is installed
# into .venv and deploy/azurite/node_modules, from lock files with hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is installed, by file date: each step runs again only when what it installs from has changed.
DONE := $(VENV)/.done

# A file's tests stay together: they share what is costly to start. One worker more than cores: they also wait.
PARALLEL := -n $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)') --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup install demo test test-unit tck-dps tck-dsp vault-server soak soak-protocol benchmark check fix docs lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: install $(DONE)/azurite ## install all that the demo and the tests need

demo: setup ## show complete transfers between two organisations; VAULT=local, hashicorp or azure-key-vault
	$(BIN)/connector demo $(if $(VAULT),--vault $(VAULT))

test: setup ## run every test, on every core; choose some with ARGS='-k name'
	$(BIN)/pytest $(PARALLEL) $(ARGS)

test-unit: install ## run the tests that need no service
	$(BIN)/pytest $(PARALLEL) tests/unit tests/architecture $(ARGS)

tck-dps: install ## run the public conformance kit of Data Plane Signaling (needs Java and Maven)
	$(BIN)/python -m tests.tck.dps_kit

tck-dsp: install ## run the public conformance kit of the Dataspace Protocol (needs Java and Maven)
	$(BIN)/python -m tests.tck.dsp_kit $(if $(ARGS),'$(ARGS)')

vault-server: install $(VENV)/vault-server ## build a real HashiCorp Vault (needs Go, gigabytes, minutes), and run its adapter's tests on it
	$(BIN)/pytest -p tests.vault_server.in_place tests/integration/hashicorp tests/conformance/test_vault.py \
		-k 'hashicorp and not namespace' $(ARGS)

soak: setup ## copy under random faults and kills for SOAK_MINUTES (10); SOAK_SEED repeats a run
	$(BIN)/pytest tests/soak/random_faults.py --timeout=0 -p no:randomly --log-cli-level=INFO $(ARGS)

soak-protocol: install ## two control planes under random disturbances for SOAK_MINUTES (10); SOAK_SEED repeats a round
	$(BIN)/pytest tests/soak/control_planes.py --timeout=0 -p no:randomly --show-capture=no $(ARGS)

benchmark: setup ## compare the data plane with its peers, as docs/benchmarks.md says
	$(BIN)/python -m benchmarks $(ARGS)

check: install ## format, lint, types, arrows between packages, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .

fix: install ## format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install ## draw the state diagrams and write the list of errors again, from the code
	$(BIN)/python -m tests.architecture.state_diagrams
	$(BIN)/python -m tests.architecture.troubleshooting

lock: install ## choose the newest dependencies that pyproject.toml allows, and lock them
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		--extra demo --group dev pyproject.toml --output-file requirements.lock

clean: ## remove what setup, demo and tests have made
	rm -rf $(VENV) deploy/azurite/node_modules .run .coverage* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(DONE)/project

# The Go module is Business Source Licensed: it is fetched by whoever runs this, and nothing of it is kept here.
$(VENV)/vault-server: $(wildcard tests/vault_server/*.go tests/vault_server/go.*)
	cd tests/vault_server && go build -ldflags='-s -w' -o $(CURDIR)/$@ .

$(DONE)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python's venv module is needed (on Debian and Ubuntu: the package python3-venv)." >&2; exit 1; }
	mkdir -p $(DONE) && touch $@

$(DONE)/requirements: requirements.lock $(DONE)/venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(DONE)/project: pyproject.toml $(DONE)/requirements
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DONE)/azurite: deploy/azurite/package.json deploy/azurite/package-lock.json $(DONE)/project
	$(BIN)/python -c 'from connector_cli.azurite import ensure_installed; ensure_installed()'
	touch $@
