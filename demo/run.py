"""Run the main job on this machine: a local S3, three retrains and a sync through Airflow; and tell
what is known then."""

from __future__ import annotations

import json
import os
import resource
import time
from importlib.metadata import version
from pathlib import Path

import airflow_commands
from local_s3 import ACCESS_KEY, REGION, SECRET_KEY, create_bucket, local_s3
from report import report

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".demo"
DAG = "retrain_and_register"
SYNC = "monitor_models"
# The data is of 2015 to 2018, and a model is trained on the years before its own.
RETRAINS = ("2016-01-01", "2017-01-01", "2018-01-01")


def main() -> None:
    started = time.monotonic()
    HOME.mkdir(exist_ok=True)
    # The S3 of the demo forgets everything when it stops, so the registry starts afresh as well.
    for leftover in HOME.glob("airflow/aporia.db*"):
        leftover.unlink()
    with local_s3(HOME / "s3.log") as endpoint:
        say(f"Starting a local S3 on {endpoint}, and importing Airflow")
        isolate(settings(endpoint))
        airflow_commands.preload()
        create_bucket(endpoint, HOME / "s3.log")
        prepare()
        for day in RETRAINS:
            say(f"Retraining as of {day}: airflow dags test {DAG} {day}")
            run("registered and connected", "dags", "test", DAG, day, log=f"{day}.log")
        say(f"Syncing what is connected: airflow dags test {SYNC}")
        run("synced", "dags", "test", SYNC, log="sync.log")
        report()
    used = sum(map(processor_time, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    print(
        f"\nDone in {time.monotonic() - started:.0f} s, with {used:.0f} s of processor time. "
        f"Airflow's logs are in {HOME.relative_to(ROOT)}/."
    )


def prepare() -> None:
    """Airflow's database is made once, and again after an upgrade."""
    ready = HOME / "airflow" / f"{version('apache-airflow')}.ready"
    if not ready.exists():
        say("Preparing Airflow's database")
        run("prepared", "db", "migrate", log="migrate.log")
        ready.touch()


def run(done: str, *arguments: str, log: str) -> None:
    """Run a command of Airflow, and tell how long it took."""
    began = time.monotonic()
    used = airflow_commands.run(*arguments, log=HOME / log)
    say(f"{done} in {time.monotonic() - began:.0f} s, with {used:.0f} s of processor time")


def processor_time(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def isolate(settings: dict[str, str]) -> None:
    """Whatever Airflow or AWS the user has set up in this shell is not the demo's business."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        del os.environ[name]
    os.environ.update(settings)


def settings(endpoint: str) -> dict[str, str]:
    aws = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
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


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


if __name__ == "__main__":
    main()
