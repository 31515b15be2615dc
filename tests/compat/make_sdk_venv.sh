#!/bin/sh
# Make a virtual environment with the official SDK, unmodified: make_sdk_venv.sh DIRECTORY
# It needs packages that cannot be installed beside Airflow. A finished one is left as it is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: make_sdk_venv.sh DIRECTORY}
done_mark="$target/.made-with"

if cmp -s "$here/constraints-sdk.txt" "$done_mark"; then
    exit 0
fi
"${PYTHON:-python3.11}" -m venv --clear "$target"
"$target/bin/python" -m pip install --quiet --constraint "$here/constraints-sdk.txt" \
    "aporia[training]==2.19.0"
cp "$here/constraints-sdk.txt" "$done_mark"
