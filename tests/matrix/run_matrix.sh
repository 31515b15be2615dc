#!/bin/sh
# Run the fast tests, and DAGs against Airflow's metadata database and an S3 server, in each environment:
# run_matrix.sh DIRECTORY NAME=VERSION=CONSTRAINTS ...
# Every environment is tried, and the last line says which of them failed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${1:?usage: run_matrix.sh DIRECTORY NAME=VERSION=CONSTRAINTS ...}
shift
failed=

run() {
    "$here/make_matrix_venv.sh" "$2" "$3" "$root/$1" || return 1
    "$root/$1/bin/python" -c '
import platform
from importlib.metadata import version
print("-- Python", platform.python_version(), "and Airflow", version("apache-airflow"), flush=True)' || return 1
    "$root/$1/bin/python" -m pytest -m fast -n 2 --dist worksteal -q -p no:cacheprovider || return 1
    "$root/$1/bin/python" -m pytest -q -p no:cacheprovider tests/airflow/test_testing.py \
        tests/airflow/test_segment_operators.py \
        tests/airflow/test_hooks.py::test_without_a_connection_the_embedded_backend_answers \
        tests/airflow/test_hooks.py::test_a_connection_that_is_missing_by_name_is_an_error_not_the_embedded_backend \
        tests/airflow/test_events.py::test_the_dag_that_users_copy_runs_without_a_date
}

for entry in "$@"; do
    name=${entry%%=*}
    rest=${entry#*=}
    run "$name" "${rest%%=*}" "${rest#*=}" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "test-matrix: failed:$failed" >&2
    exit 1
fi
echo "test-matrix: all passed"
