#!/bin/sh
# Make a virtual environment that a Spark Connect server runs in: make_spark_venv.sh DIRECTORY
# It is what a cluster looks like: a pyspark, pyarrow and numpy of its own, and nothing of ours.
# It needs Java 17 or later and Maven. A finished one is left as it is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: make_spark_venv.sh DIRECTORY}
done_mark="$target/.made-with"

for program in java mvn; do
    command -v "$program" >/dev/null || { echo "$0 needs $program" >&2; exit 1; }
done
if cat "$here/constraints-spark.txt" "$here/pom.xml" | cmp -s - "$done_mark"; then
    exit 0
fi
"${PYTHON:-python3.11}" -m venv --clear "$target"
"$target/bin/python" -m pip install --quiet --no-compile --constraint "$here/constraints-spark.txt" \
    pyspark pyarrow pandas grpcio grpcio-status googleapis-common-protos zstandard
jars=$("$target/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent / "jars")')
mvn --batch-mode --quiet --file "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars"
cat "$here/constraints-spark.txt" "$here/pom.xml" >"$done_mark"
