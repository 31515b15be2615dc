#!/bin/sh
# Make a virtual environment with another monitoring library: make_peer_venv.sh LIBRARY DIRECTORY
# None of them can be installed beside what we need. A finished one is left as it is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
library=${1:?usage: make_peer_venv.sh LIBRARY DIRECTORY}
target=${2:?usage: make_peer_venv.sh LIBRARY DIRECTORY}
constraints="$here/constraints-$library.txt"
done_mark="$target/.made-with"

if cmp -s "$constraints" "$done_mark"; then
    exit 0
fi
"${PYTHON:-python3.11}" -m venv --clear "$target"
# All that a library needs is among its constraints, what it forgot to ask for included.
"$target/bin/python" -m pip --disable-pip-version-check --no-input install --quiet --requirement "$constraints"
cp "$constraints" "$done_mark"
