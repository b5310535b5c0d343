# Every target works in a fresh clone: it makes its own environment first (a few minutes, once) and again
# whenever the locks change. VENV=... takes another folder, TORCH=cpu|cuda another build of torch.
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS ?=
.DEFAULT_GOAL := help
.PHONY: fuzz chaos soak help install demo up test check lint docs bench scale settings lock audit clean

help: ## what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

install: ## the environment in .venv: nothing to do when the locks have not changed
	@requirements/install $(VENV)

demo: install ## a clip answered twice, cold and warm; leaves answer, timeline and pictures in demo-out/
	$(BIN)/touchline demo --out demo-out

up: install ## Valkey, worker and Flower on this machine until Ctrl-C
	$(BIN)/touchline up

test: install ## the whole test suite, three files at a time; with PYTEST_ARGS what they say
	$(BIN)/python -m pytest $(or $(PYTEST_ARGS),-n 3 --dist loadfile tests)

lint: install ## style, types, the directions of imports, the GitHub workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml

check: lint ## lint, then the unit tests
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/unit

docs: install ## the documentation as a web site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: install ## baselines and Touchline on emulated links
	$(BIN)/touchline bench $(BENCH_ARGS)

scale: install ## how the cost grows with the clip, the workers and the queue
	$(BIN)/touchline bench --scale $(BENCH_ARGS)

settings: install ## .env.example and docs/reference/settings.md from services/settings/
	$(BIN)/python -m touchline_lab.settings_reference

fuzz: install ## damaged input for every function that reads bytes of strangers (FUZZ_ARGS="--seconds 600")
	$(BIN)/python -m touchline_lab.reliability.fuzz $(FUZZ_ARGS)

chaos: install ## faults at every stage of a running challenge; writes the table of docs/concepts/reliability.md
	$(BIN)/python -m touchline_lab.reliability.chaos $(or $(CHAOS_ARGS),--document docs/concepts/reliability.md)

soak: install ## thousands of good, bad and hostile challenges, with a fault now and then (SOAK_ARGS="--challenges 10000")
	$(BIN)/python -m touchline_lab.reliability.soak $(SOAK_ARGS)

lock: install ## the locks from pyproject.toml (needs uv)
	requirements/compile

audit: ## known vulnerabilities of the locked packages, and their bill of materials in build/sbom
	requirements/audit

clean: ## remove the environment, caches and what demo and bench left
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist demo-out bench-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
