#!/bin/sh
# Makes the working tree ready to run: Debian packages that are missing, then the virtual
# environment of requirements.lock, and the project in it, with its C sources compiled.
# Safe to run again: what is there is not installed twice.
# Usage: tools/setup.sh [DEBIAN-PACKAGE ...]
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The panel refresh is a C extension: whether a compiler, libc's headers and Python's are there.
compiles() {
    for_python=.venv/bin/python
    [ -x "$for_python" ] || for_python=$python
    include=$("$for_python" -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null)
    echo '#include <Python.h>' | gcc -E "-I$include" - >/dev/null 2>&1
}
compiles || set -- "$@" gcc libc6-dev python3-dev

missing=
for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
        missing="$missing $package"
done
# A virtual environment needs ensurepip, which Debian packages apart from Python itself.
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    echo "setup: installing Debian packages:$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of package names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $python is older than Python 3.11; name a newer one: make PYTHON=/path/to/python3" >&2
    exit 69
}

compiles || {
    echo "setup: $for_python has no headers (Python.h), which building the panel refresh takes:" \
        "install its development package, or remove .venv and name a Python that has them:" \
        "make PYTHON=/path/to/python3" >&2
    exit 69
}

# Whether these files are others than when `settled` was last called for the same stamp.
changed() {
    stamp=.venv/$1
    shift
    wanted=$(cat "$@" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]
}
settled() { echo "$wanted" >"$stamp"; }
install() { PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }

if changed .installed requirements.lock; then
    echo "setup: installing the locked packages into .venv (once)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    install --require-hashes -r requirements.lock
    settled
fi
if changed .built pyproject.toml firmware/native/*.[ch] gateway/hall_panel/*.[ch]; then
    echo "setup: building the panel refresh"
    install --no-deps --no-build-isolation -e .
    settled
fi
