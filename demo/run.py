"""Run the main job on this machine: a local S3, three retrains and a sync through Airflow; and tell
what is known then."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from report import report

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".demo"
AIRFLOW = Path(sys.executable).with_name("airflow")
DAG = "retrain_and_register"
SYNC = "monitor_models"
# The data is of 2015 to 2018, and a model is trained on the years before its own.
RETRAINS = ("2016-01-01", "2017-01-01", "2018-01-01")
BUCKET = "lake"
REGION = "eu-central-1"


def main() -> None:
    started = time.monotonic()
    HOME.mkdir(exist_ok=True)
    # The S3 of the demo forgets everything when it stops, so the registry starts afresh as well.
    for leftover in HOME.glob("airflow/aporia.db*"):
        leftover.unlink()
    with local_s3() as endpoint:
        isolate(settings(endpoint))
        prepare()
        for day in RETRAINS:
            began = time.monotonic()
            say(f"Retraining as of {day}: airflow dags test {DAG} {day}")
            run("dags", "test", DAG, day, log=f"{day}.log")
            say(f"registered and connected in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        say(f"Syncing what is connected: airflow dags test {SYNC}")
        run("dags", "test", SYNC, log="sync.log")
        say(f"synced in {time.monotonic() - began:.0f} s")
        report()
    print(f"\nDone in {time.monotonic() - started:.0f} s. Airflow's logs are in {HOME.relative_to(ROOT)}/.")


def prepare() -> None:
    """Airflow's database is made once, and again after an upgrade."""
    ready = HOME / "airflow" / f"{version('apache-airflow')}.ready"
    if not ready.exists():
        say("Preparing Airflow's database")
        run("db", "migrate", log="migrate.log")
        ready.touch()


def isolate(settings: dict[str, str]) -> None:
    """Whatever Airflow or AWS the user has set up in this shell is not the demo's business."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        del os.environ[name]
    os.environ.update(settings)


def settings(endpoint: str) -> dict[str, str]:
    aws = {
        "conn_type": "aws",
        "login": "demo-access-key",
        "password": "demo-secret-key",
        "extra": {"endpoint_url": endpoint, "region_name": REGION},
    }
    return {
        "AIRFLOW_HOME": str(HOME / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def local_s3() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    say(f"Starting a local S3 on {endpoint}")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (HOME / "s3.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            create_bucket(endpoint)
            yield endpoint
        finally:
            server.terminate()


def create_bucket(endpoint: str) -> None:
    wait_for(endpoint)
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    request.add_header("Host", "s3.amazonaws.com")
    urllib.request.urlopen(request, timeout=10).close()


def wait_for(endpoint: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"The local S3 did not answer; see {HOME / 's3.log'}")


def run(*arguments: str, log: str) -> None:
    path = HOME / log
    with path.open("w") as file:
        code = subprocess.call([AIRFLOW, *arguments], stdout=file, stderr=subprocess.STDOUT)
    if code:
        print("".join(path.read_text().splitlines(keepends=True)[-40:]), file=sys.stderr)
        sys.exit(f"airflow {' '.join(arguments)} failed; its whole output is in {path}")


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


if __name__ == "__main__":
    main()
