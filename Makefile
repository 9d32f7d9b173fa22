# make run    everything on this machine, in one terminal; one Ctrl-C ends it
# make test   every test that this machine allows
# make check  format, lint, types (of the JavaScript client too), import contracts, migrations, generated files, deployment
# make bench  measurements, written into docs/performance.md and docs/reliability.md
# make chaos     many faults at once against the real processes; SECONDS, SEED, CLIENTS and GAME_HOST may be given
# make sabotage  takes out one mechanism after the other, and shows which test notices; about five minutes
# make simulate  made-up arrivals under the presets, or with ARGS under other rules
# make soak      chaos for ten minutes with each of three seeds; half an hour and more

VENV ?= .venv
PYTHON = $(VENV)/bin/python
PIP = $(PYTHON) -m pip --disable-pip-version-check --no-input
PYTHONS = python3.13 python3.12 python3.11 python3
CHROMIUM = $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
CHECKS = check-format check-lint check-types check-js check-imports check-migrations check-protocol check-deploy

.PHONY: run test check bench chaos sabotage simulate soak venv venv-dev lock clean
.PHONY: $(CHECKS)

run: venv
	@exec $(PYTHON) -m matchmaking_site.stack --end-with-parent

# Files run in their order, the slow ones first: reordered by their number of tests, those would come last.
# The reports of coverage are long, so what failed and pytest's closing line are said once more at the end.
test: venv-dev
	@rm -f .coverage .coverage.*; \
	left_out=""; \
	if [ -z "$(CHROMIUM)" ]; then \
	  if [ "$$CI" = true ]; then echo "make test: CI leaves nothing out, and Chromium is missing" >&2; exit 1; fi; \
	  left_out="-m 'not browser'"; \
	  echo "left out: the browser tests, since this machine has no Chromium (Debian: apt install chromium)"; \
	fi; \
	log=$(VENV)/pytest.log; failed=$(VENV)/pytest.failed; rm -f $$failed; \
	{ eval "$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -rfEs --cov --cov-report= $$left_out $(PYTEST_ARGS)" \
	  || touch $$failed; } 2>&1 | tee $$log; \
	status=0; [ ! -e $$failed ] || status=1; \
	echo "coverage of everything, at least 90%:"; \
	$(PYTHON) -m coverage report --fail-under=90 || status=1; \
	echo "coverage of the rules and of the protocol, 100%:"; \
	$(PYTHON) -m coverage report --include='*/domain/*,realtime/protocol/*' --fail-under=100 || status=1; \
	grep -aE '^(FAILED|ERROR) tests' $$log | cut -c1-300; tail -n 1 $$log; exit $$status

check: $(CHECKS)

# Valid in form, and reachable nowhere: these look at code, not at data.
$(CHECKS): export DATABASE_URL = postgresql://matchmaking@%2Fnonexistent/matchmaking
$(CHECKS): export REDIS_URL = unix:///nonexistent/valkey.sock
$(CHECKS): export SECRET_KEY = only-for-make-check-2f6c0b9d8e7a1543-and-nowhere-else-at-all
$(CHECKS): export JWT_SIGNING_KEY = only-for-make-check-91d4e6a0c8b2f735-and-nowhere-else
$(CHECKS): export PUBLIC_URL = https://matchmaking.example
$(CHECKS): export ALLOWED_HOSTS = matchmaking.example

check-format: venv-dev
	$(PYTHON) -m ruff format --check .

check-lint: venv-dev
	$(PYTHON) -m ruff check .

check-types: venv-dev
	$(PYTHON) -m mypy .

# A copy of the lock file in node_modules says what it holds. Nothing of it is needed to run anything.
check-js:
	@set -e; \
	if ! command -v npm >/dev/null; then \
	  if [ "$$CI" = true ]; then echo "make check-js: CI leaves nothing out, and npm is missing" >&2; exit 1; fi; \
	  echo "left out: the types of the JavaScript client, since this machine has no npm (Debian: apt install npm)"; exit 0; \
	fi; \
	if ! cmp -s package-lock.json node_modules/package-lock.json; then \
	  echo "installing package-lock.json"; \
	  npm ci --ignore-scripts --silent; \
	  cp package-lock.json node_modules/package-lock.json; \
	fi; \
	echo node_modules/.bin/tsc --project .; \
	node_modules/.bin/tsc --project .

check-imports: venv-dev
	$(PYTHON) $(VENV)/bin/lint-imports

# On a database of its own: without one Django waits for it, and then warns.
check-migrations: venv-dev
	@unset DATABASE_URL; $(PYTHON) -m tests.services manage.py makemigrations --check --dry-run

check-protocol: venv-dev
	$(PYTHON) manage.py protocol --check

check-deploy: venv-dev
	$(PYTHON) manage.py check --deploy --fail-level WARNING

# A copy of the requirements in the virtual environment says what it holds.
venv:
	@set -e; \
	if ! $(PYTHON) -c "" 2>/dev/null || { [ ! -e $(VENV)/requirements.txt ] && ! $(PIP) --version >/dev/null 2>&1; }; then \
	  found=""; \
	  for python in $(PYTHONS); do \
	    if $$python -c "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "make: needs Python 3.11 or newer with its venv module (Debian: apt install python3-venv)" >&2; exit 1; \
	  fi; \
	  echo "making $(VENV) with $$found"; \
	  $$found -m venv --clear $(VENV); \
	fi; \
	if ! cmp -s requirements.txt $(VENV)/requirements.txt; then \
	  echo "installing requirements.txt"; \
	  $(PIP) install --quiet --require-hashes -r requirements.txt; \
	  cp requirements.txt $(VENV)/requirements.txt; \
	fi

venv-dev: venv
	@set -e; \
	if ! cmp -s requirements-dev.txt $(VENV)/requirements-dev.txt; then \
	  echo "installing requirements-dev.txt"; \
	  $(PIP) install --quiet --require-hashes -r requirements-dev.txt; \
	  cp requirements-dev.txt $(VENV)/requirements-dev.txt; \
	fi

# UPGRADE=--upgrade takes newer versions; without it only what the .in files changed.
lock:
	@command -v uv >/dev/null || { echo "make lock: needs uv (https://docs.astral.sh/uv/)" >&2; exit 1; }
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  $(UPGRADE) --output-file requirements.txt requirements.in
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  $(UPGRADE) --output-file requirements-dev.txt requirements-dev.in

# The data of `make run` stays: it is somebody's.
clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov staticfiles
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

# Measurements, written into docs/performance.md and docs/reliability.md; about six minutes.
bench: venv-dev
	$(PYTHON) -m benchmarks.pairing
	$(PYTHON) -m benchmarks.teams
	$(PYTHON) -m tests.services -m benchmarks.tick
	$(PYTHON) -m benchmarks.first_match
	$(PYTHON) -m benchmarks.ghosts
	$(PYTHON) -m benchmarks.event

SECONDS = 120
SEED = 1
CLIENTS = 60
CHAOS = env -u GAME_HOST $(PYTHON) -m tests.chaos --clients $(CLIENTS)

chaos: venv-dev
	$(CHAOS) --seed $(SEED) --seconds $(SECONDS) --game-host $(or $(GAME_HOST),builtin)

# Games are rooms of this service with the first seed, and a live-game service's with the others.
soak: venv-dev
	@status=0; \
	$(CHAOS) --seed 1 --seconds 600 || status=1; \
	$(CHAOS) --seed 2 --seconds 600 --game-host http || status=1; \
	$(CHAOS) --seed 3 --seconds 600 --game-host http || status=1; \
	exit $$status

# Made-up arrivals under the presets, or with ARGS under other rules; docs/tuning.md.
simulate: venv-dev
	$(PYTHON) -m tests.services manage.py simulate --synthetic $(ARGS)

sabotage: venv-dev
	$(PYTHON) -m tests.sabotage $(ONLY)
