#!/bin/sh
# Make a virtual environment for make test-matrix: make_matrix_venv.sh VERSION CONSTRAINTS DIRECTORY
# VERSION is that of Python, such as 3.12. A finished environment is left as it is.
set -eu

version=${1:?usage: make_matrix_venv.sh VERSION CONSTRAINTS DIRECTORY}
constraints=$2
target=$3

if cat pyproject.toml "$constraints" | cmp -s - "$target/.made-with"; then
    exit 0
fi
interpreter=
# The commands of pyenv exist for versions that are not selected, and fail then.
for candidate in "python$version" "$(pyenv root 2>/dev/null || true)/versions/$version".*/bin/python3; do
    if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
        interpreter=$candidate
        break
    fi
done
if [ -z "$interpreter" ]; then
    echo "Python $version is not installed here, so nothing is tested with it" >&2
    exit 1
fi
echo "Setting up $target; this takes a few minutes once."
"$interpreter" -m venv --clear "$target"
"$target/bin/python" -m pip --disable-pip-version-check --no-input install --quiet \
    --constraint "$constraints" --editable ".[test]"
cat pyproject.toml "$constraints" >"$target/.made-with"
