#!/bin/sh
# Makes .venv with everything this project needs: bootstrap.sh REQUIREMENTS-FILE.
# Needs only Python >= 3.11 with venv; uses uv from the PATH, or puts it into the venv.
set -eu
cd "$(dirname "$0")/.."
requirements=$1
stamp=.venv/.installed-$(basename "$requirements" .txt)
if [ -e "$stamp" ] && [ "$stamp" -nt "$requirements" ] && [ "$stamp" -nt pyproject.toml ]; then exit 0; fi

if [ ! -x .venv/bin/python ]; then
    for python in python3.13 python3.12 python3.11 python3 python; do
        # A shim may exist without working, so the candidate has to run.
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "Making .venv with $("$python" --version) …" >&2
            "$python" -m venv .venv
            break
        fi
    done
fi
if [ ! -x .venv/bin/python ]; then
    echo "Python 3.11 or newer with the venv module is needed (Debian: apt-get install python3 python3-venv)." >&2
    exit 1
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet uv==0.13.8
    uv=.venv/bin/uv
fi
echo "Installing $requirements …" >&2
"$uv" pip install --quiet --python .venv/bin/python --require-hashes -r "$requirements"
"$uv" pip install --quiet --python .venv/bin/python --no-deps -e .
touch "$stamp"
