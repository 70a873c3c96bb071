# make try: install, predict a short conversation. make demo: install, run the whole pipeline on the built-in corpus,
# print the table. make test: install, test.
PYTHON ?= python3
BIN := .venv/bin
# Threads of training are pinned in dvc.yaml, stage by stage: pinned here, worker processes would inherit one core.
export THP_MEM_ALLOC_ENABLE ?= 1
export DVC_NO_ANALYTICS := 1
# so that `dvc` finds `python` of the environment, activated or not
export PATH := $(CURDIR)/$(BIN):$(PATH)

LANDMARKER := data/landmarker/face_landmarker.task

.PHONY: setup try demo docs test fuzz check

setup: .venv/.installed  ## the environment

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv, 2.3 GB: a few minutes without output"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[simulate]'
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(LANDMARKER): | .venv/.installed
	$(BIN)/dvc repro --quiet landmarker

try: setup  ## a first look: engagement in examples/dyad, with the model that comes along
	$(BIN)/damamba predict examples/dyad/expert.mp4 examples/dyad/novice.mp4 -o out/try

demo: setup  ## the whole pipeline; ends with the table
	$(BIN)/dvc repro
	@cat results/ccc.md
	@echo "Report: results/report.html"

docs: setup .venv/.installed-dev  ## the documentation as a site, with the reference of commands and Python
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "out/site/index.html"

test: setup .venv/.installed-dev $(LANDMARKER)  ## all tests, the long ones too
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not fuzz" -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

fuzz: setup .venv/.installed-dev  ## every reader of outside files, 10 s each
	$(BIN)/python -m pytest -m fuzz -n auto --maxprocesses 8

check: setup .venv/.installed-dev  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
