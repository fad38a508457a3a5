#!/bin/sh
# Makes .bothways/venv with what a requirements file names: `sh demo/install.sh requirements.txt`.
# Instant when that is done; a half-made environment is made anew. PYTHON chooses the interpreter.
set -eu
# A caller's own settings must not decide what is installed where.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
cd "$(dirname "$0")/.."
requirements=$1
venv=.bothways/venv
log=.bothways/logs/install.log

fail() { echo "$1" >&2; exit 1; }

fingerprint() { cat "$1" pyproject.toml sandbox/pyproject.toml | cksum; }

is_done() { [ -f "$venv/.made-$1" ] && [ "$(cat "$venv/.made-$1")" = "$(fingerprint "$1")" ]; }

# An environment that was finished once, here (it cannot be moved), and whose Python is still there.
is_whole() { [ "$(cat "$venv/.place" 2>/dev/null)" = "$PWD" ] && "$venv/bin/python" -c '' 2>/dev/null; }

# What serves the tests serves the demo too.
if is_whole && { is_done "$requirements" || is_done requirements-dev.txt; }; then exit 0; fi

if ! is_whole; then
    python=""
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "Bothways needs Python 3.11, 3.12 or 3.13, and none was found: install one, or name it with PYTHON=/path/to/python3."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python cannot make virtual environments: install its venv package (on Debian and Ubuntu: apt install python3-venv)."
    [ ! -e "$venv" ] || echo "The environment in $venv is half-made or moved; making it anew."
    rm -rf "$venv"
    mkdir -p .bothways/logs
    "$python" -m venv "$venv"
fi

echo "Installing $requirements into $venv; this takes a few minutes the first time."
mkdir -p .bothways/logs
rm -f "$venv/.made-$requirements"
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"
{
    # The file is complete: nothing is resolved, and nothing comes in without its hash.
    $pip install --require-hashes --no-deps -r "$requirements" &&
        $pip install --no-deps --no-build-isolation --editable . --editable sandbox
} >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    fail "The installation failed: read $log, see to the cause (often the network) and run make again."
}
fingerprint "$requirements" >"$venv/.made-$requirements"
pwd >"$venv/.place"
