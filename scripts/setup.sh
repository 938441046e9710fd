#!/usr/bin/env bash
# Creates .venv with exactly the packages of the lock, installs this checkout into it and compiles the kernels.
#   scripts/setup.sh run   what Tapeline needs to run
#   scripts/setup.sh dev   that, and the tools for checking and testing
# Does nothing when the environment already fits the lock.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-run}
case "$kind" in
  run) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "setup: '$kind' is neither run nor dev" >&2; exit 2 ;;
esac

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: $python is missing or older than 3.11: install Python 3.11, or name one with PYTHON=/path/to/python3" >&2
  exit 2
fi

want="$(cat requirements.lock requirements-dev.lock pyproject.toml | sha256sum | cut -c1-16)"
have="$(cat .venv/.tapeline-run 2>/dev/null || true)"
have_dev="$(cat .venv/.tapeline-dev 2>/dev/null || true)"
if [ "$have_dev" = "$want" ] || { [ "$kind" = run ] && [ "$have" = "$want" ]; }; then
  exit 0
fi

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
rm -f .venv/.tapeline-run .venv/.tapeline-dev
echo "$want" > ".venv/.tapeline-$kind"
say "ready: .venv/bin/tapeline --help"
