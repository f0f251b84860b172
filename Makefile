# Tympan: every task of the project. `make help` lists them.
PYTHON ?= python3
SERVE := .venv/serve
DEV := .venv/dev
STUDIO := .venv/studio
HOST ?= 127.0.0.1
PORT ?= 8000
STUDIO_PORT ?= 8080
LANGUAGES := fr,it,en,es,de,pt,nl
NOTE := "Every text it learnt from, and that of the test records below, was invented for this project: see\
labels/corpora/README.md for how, and for what that leaves out."
LIMITS := "Weak at: who of several organisations is meant (the whole set of intents is right for seven in ten such\
records), neighbouring topics (outage and performance, agent and nobody answering), irony, posts that make sense only in\
their thread, and dissatisfaction with a public body that is politics as much as a complaint. The command make train, in the\
project's repository, makes it anew."

ifneq ($(filter test,$(MAKECMDGOALS)),)
MAKEFLAGS += --jobs=2  # both environments at once
endif

.DEFAULT_GOAL := help
.PHONY: help serve test check dev train label-studio system-deps image clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(SERVE)/installed ## Serve the bundled model on 127.0.0.1:8000 (HOST=, PORT=)
	@exec $(SERVE)/bin/tympan serve --host $(HOST) --port $(PORT)

test: browser callers office $(DEV)/installed $(STUDIO)/installed check ## Run the checks and all tests
	$(DEV)/bin/python -m pytest

check: $(DEV)/installed ## Run ruff, mypy and import-linter
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

train: $(DEV)/installed ## Train the bundled model anew from the corpora (under half an hour on 2 cores)
	$(DEV)/bin/tympan train --data labels/corpora --keep-languages $(LANGUAGES) -o model/pretrained \
		--epochs 3 --batch-size 24 --learning-rate 2.4e-4 --threshold-shift 0.25 \
		--title "The tagger that ships with Tympan" --note $(NOTE) --note $(LIMITS)

dev: $(DEV)/installed ## Make the environment for labelling and training, .venv/dev

label-studio: $(STUDIO)/installed ## Start a Label Studio on 127.0.0.1:8080 (STUDIO_PORT=, DATA=)
	@PORT=$(STUDIO_PORT) exec labels/label-studio.sh

image: ## Build the service's container image, tympan
	docker build -t tympan .

system-deps: ## Install the Debian packages that the tests need
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
		|| { apt-get update -qq && apt-get install -y -qq python3 python3-venv; }
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	@command -v soffice >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq --no-install-recommends libreoffice-calc-nogui; }
	@command -v curl >/dev/null && command -v node >/dev/null && command -v openssl >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq --no-install-recommends curl nodejs openssl; }

clean: ## Remove the virtual environments and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

$(SERVE)/installed: pyproject.toml constraints.txt | python
	@echo "making the service's environment in $(SERVE): about a minute, once"
	@$(PYTHON) -m venv --clear $(SERVE)
	@$(SERVE)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV)/installed: pyproject.toml constraints.txt | python
	@echo "making the developers' environment in $(DEV): some minutes and 2 GB, once"
	@$(PYTHON) -m venv --clear $(DEV)
	@$(DEV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(STUDIO)/installed: labels/label-studio.txt | python
	@echo "making Label Studio's environment in $(STUDIO): some minutes and 1 GB, once"
	@$(PYTHON) -m venv --clear $(STUDIO)
	@$(STUDIO)/bin/pip install --quiet --disable-pip-version-check -r labels/label-studio.txt
	@touch $@

.PHONY: browser
browser:
	@command -v chromium >/dev/null \
		|| { echo "the tests look at pages in a browser: install the package chromium (make system-deps)" >&2; exit 1; }

.PHONY: office
office:
	@command -v soffice >/dev/null \
		|| { echo "the tests exchange workbooks with LibreOffice: install libreoffice-calc-nogui (make system-deps)" >&2; exit 1; }

.PHONY: callers
callers:
	@command -v curl >/dev/null && command -v node >/dev/null && command -v openssl >/dev/null \
		|| { echo "the tests need the packages curl, nodejs and openssl: install them (make system-deps)" >&2; exit 1; }

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { echo "tympan needs Python 3.11 or later: install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "tympan needs Python 3.11 or later: $$($(PYTHON) --version) is too old; try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "tympan needs Python's venv module: install the package python3-venv" >&2; exit 1; }
