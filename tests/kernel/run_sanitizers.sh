#!/usr/bin/env bash
# Runs the tests of the kernel on a copy of the package, whose kernel is compiled with the sanitizers of gcc for
# addresses and undefined behaviour. The first error ends the process. PYTHON: the Python of the tests;
# arguments are those of pytest.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(realpath -s "${PYTHON:-$root/.venv/bin/python}")
compiler=${CC:-gcc}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root/aporia_provider" "$root/tests" "$root/pyproject.toml" "$root/hatch_build.py" "$copy"
cd "$copy"

# Compiled as it is installed, and with the sanitizers in addition.
CC="$compiler -g -fsanitize=address,undefined -fno-sanitize-recover=all" "$python" hatch_build.py

# The sanitizer has to be loaded before everything else. Python itself does not free all memory.
export LD_PRELOAD=$("$compiler" -print-file-name=libasan.so)
export ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
export PYTHONPATH=$copy PYTHONDONTWRITEBYTECODE=1
# What pytest captures is lost when the sanitizer ends the process.
timeout 300 "$python" -m pytest -q --capture no -p no:cacheprovider tests/kernel \
    --ignore tests/kernel/test_library.py --ignore tests/kernel/test_cluster.py "$@"
