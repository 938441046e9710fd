#!/usr/bin/env bash
# Creates .venv with exactly the packages of the lock, installs this checkout into it and compiles the kernels.
#   scripts/setup.sh run   what Tapeline needs to run
#   scripts/setup.sh dev   that, and the tools for checking and testing
#   scripts/setup.sh bench that, and the peers that the benchmarks run beside us
# Does nothing when the environment already fits the lock.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE  # else nothing that is compiled here is kept, and every later process compiles it again
kind=${1:-run}
case "$kind" in
  run) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  bench) lock=requirements-bench.lock ;;
  *) echo "setup: '$kind' is none of run, dev, bench" >&2; exit 2 ;;
esac

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: $python is missing or older than 3.11: install Python 3.11, or name one with PYTHON=/path/to/python3" >&2
  exit 2
fi

# One environment holds one of three sets, each within the next: what is there suits every smaller wish.
want="$(cat requirements*.lock pyproject.toml | sha256sum | cut -c1-16)"
case "$kind" in
  run) suits="run dev bench" ;;
  dev) suits="dev bench" ;;
  bench) suits="bench" ;;
esac
for have in $suits; do
  if [ "$(cat ".venv/.tapeline-$have" 2>/dev/null || true)" = "$want" ]; then
    exit 0
  fi
done

started=$SECONDS
say() { echo "setup [$((SECONDS - started)) s] $*" >&2; }

if [ ! -x .venv/bin/python ]; then
  say "1/4 creating .venv"
  if ! "$python" -m venv .venv 2>/dev/null; then
    # Debian's python3 without python3-venv: an environment without pip, filled by the system's pip.
    rm -rf .venv
    "$python" -m venv --without-pip .venv || { echo "setup: cannot create .venv: install python3-venv" >&2; exit 2; }
  fi
fi
if [ ! -x .venv/bin/uv ]; then
  say "2/4 fetching uv, the installer"
  if .venv/bin/python -m pip --version >/dev/null 2>&1; then
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock
  elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip --python .venv/bin/python install --quiet --require-hashes -r requirements-uv.lock
  else
    echo "setup: this Python has no pip: install python3-venv or python3-pip, then run this again" >&2
    exit 2
  fi
fi
say "3/4 installing the packages of $lock, each checked against its hash"
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip sync --quiet --require-hashes "$lock"
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
say "4/4 compiling the kernels"
.venv/bin/tapeline warm
rm -f .venv/.tapeline-*
echo "$want" > ".venv/.tapeline-$kind"
say "ready: .venv/bin/tapeline --help"
