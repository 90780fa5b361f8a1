# Every target sets up what it needs first (tools/setup.sh): `make run` what running needs, the others also tests and checks. A ready
# checkout takes no time.
#   make run ARGS="--port 5001"    make test PYTEST="-k stream"    make bench BENCH="--quick"
PY = .venv/bin/python

.PHONY: run test fuzz strict mutants check bench bench-peers soak soak-failing isolation race kill llmock failover conformance artefacts wheel bundle deb image-steps newcomer package screenshots prices model-facts clients lock setup

run:
	@tools/setup.sh start $(ARGS)

# Three at a time: many tests wait for a timeout or a process, and the third uses that time of two processors. Whoever is done takes
# tests from the others. Compiled files are kept, even where the environment forbids it: the tests start hundreds of processes, and each
# would compile the program anew.
test: setup
	PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 3 --dist worksteal $(PYTEST)

# Mutated requests, 20,000 per path over all kinds of targets, and requests generated from the OpenAPI description.
fuzz: setup
	CONDUIT_FUZZ=20000 $(PY) -m pytest tests/fuzz --timeout 0
	CONDUIT_FUZZ=200 $(PY) -m tests.fuzz.description

# Drawn requests of every client dialect, sent to vendors that refuse what real vendors refuse: make strict STRICT="--each 20".
strict: setup
	$(PY) -m tests.strict $(STRICT)

# Small changes of the code that enforces limits and access, each of which a test must notice: make mutants MUTANTS="--sample 100".
mutants: setup
	$(PY) -m tools.mutants $(MUTANTS)

check: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

# Writes docs/performance.md. To see whether a change costs throughput, compare a revision with the working tree (or two revisions)
# in alternating pairs; fails if the second is slower: make bench BENCH="--compare HEAD~1"    make bench BENCH="--compare v1 HEAD"
bench: setup
	$(PY) -m benchmarks $(BENCH)

bench-peers: setup
	$(PY) -m benchmarks.peers

# An hour of mixed faults at 200 calls a second: make soak SOAK="--seconds 120".
soak: setup
	$(PY) -m tests.endurance $(SOAK)

# 100,000 failing calls with bodies of one megabyte end with the memory they began with: make soak-failing SOAK="--calls 5000".
soak-failing: setup
	$(PY) -m tests.endurance.failing_calls $(SOAK)

# How late 64 streams are while strangers, callers and upstreams do their worst: make isolation ISOLATION="--only upstream".
isolation: setup
	$(PY) -m tests.endurance.isolation $(ISOLATION)

# Budgets of every scope under parallel calls, hang-ups and killed processes: make race RACE="--calls 10000".
race: setup
	$(PY) -m tests.endurance.money $(RACE)

# 60 rounds of processes killed under load, changes, backup, restore, import, migration, first start: make kill KILL="--rounds 9".
kill: setup
	$(PY) -m tests.endurance.killed $(KILL)

# Runs the gateway against llmock, a server that breaks answers and checks its client; skips where it is not installed.
llmock: setup
	$(PY) -m tools.llmock

# Runs the fault scenarios and writes docs/failover.md.
failover: setup
	$(PY) -m tools.failover_report -n 2 $(PYTEST)

# Replays recorded traffic of real providers (CONDUIT_RECORDINGS) through the gateway and writes docs/conformance.md.
conformance: setup
	$(PY) -m tests.conformance $(RECORDINGS)

# What ships, built and checked: each is installed or unpacked, started, called, its pages opened, and stopped. `bundle` asserts its
# size; `image-steps` carries the Dockerfile's steps out in a bare Debian, and builds with Docker where its engine runs. `newcomer` follows
# README.md line by line in bare systems, and `package` installs the Debian package there: make newcomer SYSTEMS="bookworm noble". These
# three need root and debootstrap.
artefacts: setup
	@$(MAKE) --no-print-directory --output-sync=target -j3 wheel deb image-steps

wheel: setup
	$(PY) -m tools.artefacts wheel

bundle: setup
	$(PY) -m tools.artefacts bundle

deb: setup
	$(PY) -m tools.artefacts bundle deb

image-steps: setup
	$(PY) -m tools.artefacts image

newcomer: setup
	$(PY) -m tools.artefacts newcomer $(SYSTEMS)

package: setup
	$(PY) -m tools.artefacts package $(SYSTEMS)

screenshots: setup
	$(PY) -m tools.screenshots

# Reads the table in a wheel of litellm (pip download --no-deps litellm); nothing of it is installed: make prices PRICES="--table FILE".
prices: setup
	$(PY) -m tools.prices $(PRICES)

# Downloads a wheel of litellm to read its table; nothing of it is installed: make model-facts FACTS="--litellm 1.110.2".
model-facts: setup
	$(PY) -m tools.model_facts $(FACTS)

clients: setup
	$(PY) -m tools.clients

# The versions of pyproject.toml for every platform and Python, with hashes: all, and of those what running needs. Needs uv; names no index.
COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
  --no-header --quiet --custom-compile-command "make lock"
lock:
	$(COMPILE) --all-extras -o requirements.lock $(LOCK)
	$(COMPILE) --extra desktop --extra speed --extra google --extra aws --extra build -c requirements.lock -o requirements-run.lock

setup:
	@tools/setup.sh
