# Everything a person or CI does here. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := . components feature_repo pipelines retention_service
PYPROJECTS := pyproject.toml components/pyproject.toml feature_repo/pyproject.toml pipelines/pyproject.toml retention_service/pyproject.toml
PIP_INSTALL := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check install --progress-bar off
WORKERS ?= 2

# Indexes give torch on Linux with gigabytes for GPUs. A wheel for processors alone is taken where pip has been told of one
# (find-links); else uv knows where there are some.
TORCH := 2.13.0
WITH_TORCH := $(VENV)/.installed-torch-$(TORCH)
INSTALL_TORCH := $(PIP_INSTALL) --no-deps --no-index torch==$(TORCH) 2>/dev/null \
	|| $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --torch-backend=cpu torch==$(TORCH)

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: demo
demo: $(VENV)/.installed $(WITH_TORCH) ## Run the whole pipeline on real series and say where the report is
	@$(BIN)/sparkhu demo

.PHONY: test
test: $(VENV)/.installed-dev ## Run the tests; more than 90 % of the library must be covered
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not containers" --cov --cov-report=term

.PHONY: test-full
test-full: $(VENV)/.installed-dev ## Run the slow proofs that `make test` leaves out
	@$(BIN)/python -m pytest -n $$(($(WORKERS) + 1)) --dist loadgroup -m "slow and not containers" # they often wait

.PHONY: test-containers
test-containers: $(VENV)/.installed-dev ## Run the tests of the images and in them (make images builds them)
	@$${DOCKER:-docker} version >/dev/null || { echo 'Start Docker, or name its socket in DOCKER_HOST' >&2; exit 2; }
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m containers

.PHONY: mutate
mutate: $(VENV)/.installed-dev ## Break the steps in small ways; the tests must notice 80 % (STEPS="outliers gaps" for some)
	@echo 'Mutants of the steps are judged: a module in a minute or two, all in a quarter of an hour'
	@$(BIN)/python tests/mutate.py --workers $(WORKERS) $(STEPS)

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure every figure of the README beside its peers, an hour or so (NAMES="stl spark" for some)
	@$(BIN)/python benchmarks/bench.py $(NAMES)
	@$(BIN)/python docs/generate.py

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check style, types, the arrows between packages and the generated pages
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo 'make format puts this right' >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate.py --check

.PHONY: format
format: $(VENV)/.installed-dev ## Format the code and repair what can be repaired without thought
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

.PHONY: docs
docs: $(VENV)/.installed-dev ## Write the reference pages and the README's table of steps from the code
	@$(BIN)/python docs/generate.py

IMAGES := steps training services steps-spark retention

.PHONY: images
images: $(addprefix image-,$(IMAGES)) ## Build all images (BASE=NAME:TAG for another base; images/build.sh says the rest)

.PHONY: $(addprefix image-,$(IMAGES))
image-steps: ## Build the image of the steps
image-training: ## Build the image of the steps that train and register
image-services: ## Build the image of the command and of what stays up
image-steps-spark: ## Build the image of the steps on Spark, with Java
image-retention: ## Build the image of the service that retains data
$(addprefix image-,$(IMAGES)): image-%: $(VENV)/.installed
	@BASE='$(BASE)' PYTHON=$(BIN)/python images/build.sh $*

.PHONY: image-base
image-base: ## Make a Debian base without a registry, for BASE=sparkhu/base:bookworm (root; a minute)
	@images/base.sh

.PHONY: image-sizes
image-sizes: $(VENV)/.installed-dev ## Measure the images for their table in the docs
	@$(BIN)/python images/measure.py
	@$(BIN)/python docs/generate.py

.PHONY: sbom
sbom: ## Write the bills of materials of the images that are built to build/sbom
	@images/sbom.sh $(IMAGES)

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --generate-hashes \
	--no-emit-package sparkhu --no-emit-package sparkhu-components \
	--no-emit-package sparkhu-features --no-emit-package sparkhu-pipelines --no-emit-package sparkhu-retention \
	--custom-compile-command 'make lock' $(ARGS)

IN_IMAGES := --extra postgres -c requirements/dev.txt --excludes requirements
OF_TRAINING := $(filter-out pipelines/% retention_service/%,$(PYPROJECTS)) $(IN_IMAGES)/steps.excludes.txt
OF_STEPS := $(OF_TRAINING) --excludes requirements/untuned.excludes.txt
OF_SERVICES := $(filter-out retention_service/%,$(PYPROJECTS)) $(IN_IMAGES)/services.excludes.txt
OF_RETENTION := pyproject.toml retention_service/pyproject.toml $(IN_IMAGES)/retention.excludes.txt

.PHONY: lock
lock: $(VENV)/.installed-dev ## Lock the dependencies anew (ARGS=--upgrade for newer versions)
	@$(COMPILE) $(PYPROJECTS) requirements/build.in requirements/torch.in -o requirements/run.txt
	@$(COMPILE) $(PYPROJECTS) requirements/build.in requirements/torch.in requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
	@$(COMPILE) $(OF_STEPS) -o requirements/steps.txt
	@$(COMPILE) $(OF_TRAINING) requirements/training.in -o requirements/training.txt
	@$(COMPILE) $(OF_STEPS) --extra spark -o requirements/steps-spark.txt
	@$(COMPILE) $(OF_SERVICES) -o requirements/services.txt
	@$(COMPILE) $(OF_RETENTION) requirements/retention.in -o requirements/retention.txt
	@$(COMPILE) requirements/image-tools.in -c requirements/dev.txt -o requirements/image-tools.txt

.PHONY: clean
clean: ## Remove the environment and everything that was generated
	@rm -rf $(VENV) mutants build out demo .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The environment. Stamps say what was installed from which files, so that a second run installs nothing.

define FIND_PYTHON
for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$candidate"; break; fi; \
done; \
if [ -z "$${found:-}" ]; then \
	echo 'Sparkhu needs Python 3.11 or newer and found none; name one with make PYTHON=/path/to/python3' >&2; exit 2; \
fi; \
if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	version="$$("$$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
	echo "$$found cannot make environments yet. On Debian and Ubuntu: sudo apt-get install python$$version-venv" >&2; exit 2; \
fi
endef

$(BIN)/python:
	@$(FIND_PYTHON); "$$found" -m venv $(VENV)

$(VENV)/.installed: requirements/run.txt $(PYPROJECTS) | $(BIN)/python
	@echo 'Installing what Sparkhu needs into $(VENV) (once; a minute or two)'
	@$(PIP_INSTALL) --require-hashes -r requirements/run.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

# Without it all else works: it is tried again the next time.
$(WITH_TORCH): $(VENV)/.installed
	@if $(INSTALL_TORCH); then touch $@; else \
		echo 'torch $(TORCH) could not be installed: neural models and several workers are left out' >&2; \
	fi

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed | $(BIN)/python $(WITH_TORCH)
	@echo 'Installing what the tests need into $(VENV) (once)'
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: horovod
horovod: $(VENV)/.installed-dev ## Build Horovod into a cache of yours, once, and install it (cmake and g++; 5 minutes)
	@$(PIP_INSTALL) --no-deps "$$(scripts/build_horovod.sh $(BIN)/python)"
