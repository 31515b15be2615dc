"""
Run the main job on this machine: a local S3 and an Airflow, two retrains and a sync, and drifted data, which
leads to another retrain; and tell what is known then.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import airflow_commands
from deployment import Deployment, api_server, scheduler
from local_s3 import ACCESS_KEY, REGION, SECRET_KEY, create_bucket, free_port, local_s3
from loop import LOOP, Loop
from metadata_database import postgres
from report import report

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".demo"
AIRFLOW_HOME = HOME / "airflow"
RETRAIN = "retrain_and_register"
SYNC = "monitor_models"
# The data is of 2015 to 2018, and a model is trained on the years before its own. The loop retrains in 2018.
RETRAINS = ("2016-01-01", "2017-01-01")
CHAMPION = "20170101T000000"
CHANGES = {
    # Runs are started by the demo, not by the turn of a year.
    RETRAIN: {'"@yearly"': "None"},
    SYNC: {},
    # Which of two models that were trained on similar data is better is not known from one year, so a person
    # is asked. The demo has no triggerer.
    LOOP: {
        "MARGIN = 0.01": "MARGIN = 0.0",
        "deferrable=True": "deferrable=False",
        "poke_interval=10": "poke_interval=1",
    },
}
"""Settings of the DAGs that the demo changes in its copies."""
STARTED = time.monotonic()


def main() -> None:
    # What was started is stopped as well if the demo is terminated.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    AIRFLOW_HOME.mkdir(parents=True, exist_ok=True)
    copy_dags()
    with local_s3(HOME / "s3.log") as endpoint, postgres() as database_url:
        url = f"http://127.0.0.1:{free_port()}"
        isolate(settings(endpoint, url, database_url))
        prepare()
        say(f"Starting a local S3 on {endpoint}, and an Airflow on {url}")
        with api_server(url, HOME / "api-server.log") as airflow:
            create_bucket(endpoint, HOME / "s3.log")
            with scheduler(HOME):
                # Tells the steps, and not what the hooks log that it uses.
                logging.disable(logging.INFO)
                monitor(airflow)
    used = sum(map(processor_time, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    say(f"Done, with {used:.0f} s of processor time. Airflow's logs are in {HOME.relative_to(ROOT)}/")
    print(page())


def monitor(airflow: Deployment) -> None:
    """Retrain, sync, close the loop, and report."""
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry

    airflow.wait_until_ready()
    say("Airflow is ready")
    retrain(airflow)
    airflow.unpause(SYNC)
    say(f"Syncing what is connected: airflow dags unpause {SYNC}")
    airflow.finish(airflow.first_run(SYNC))
    say("Synced")
    with EmbeddedRegistry(settings.database_url(), settings.environment()) as registry:
        Loop(airflow, registry, CHAMPION, say).close()
        report(registry)


def retrain(airflow: Deployment) -> None:
    """Retrain as of several days at once; a version is created after the one before it."""
    airflow.unpause(RETRAIN)
    runs: list[str] = []
    for day in RETRAINS:
        say(f"Retraining as of {day}: airflow dags trigger {RETRAIN} --logical-date {day}")
        if runs:
            airflow.eventually(lambda: airflow.state(runs[-1], "create_version") == "success")
        runs.append(airflow.trigger(RETRAIN, f"{day}T00:00:00Z"))
    for run in runs:
        airflow.finish(run)
    say("Both versions are registered, and their data is connected")


def page() -> str:
    """What opens the page with the data of the demo."""
    home = f"AIRFLOW_HOME={AIRFLOW_HOME.relative_to(ROOT)}"
    command = f"{home} {os.path.relpath(Path(sys.executable).with_name('aporia-provider'), ROOT)}"
    return f"""
To see it on a page, create a token, and log in with it at http://127.0.0.1:8686/page/:

  {command} token create --environment default --name demo
  {command} serve --page

Ask for more: {command} metrics --help"""


def copy_dags() -> None:
    """Copy the DAGs, with settings as a user would change them."""
    folder = HOME / "dags"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "dags" / "data", folder / "data")
    for name, replacements in CHANGES.items():
        text = (ROOT / "dags" / f"{name}.py").read_text()
        for old, new in replacements.items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / f"{name}.py").write_text(text)


def prepare() -> None:
    """Start with empty databases, since the S3 of the demo forgets everything when it stops."""
    for leftover in AIRFLOW_HOME.glob("*.db*"):
        leftover.unlink()
    say("Preparing Airflow's database")
    airflow_commands.preload()
    airflow_commands.run("db", "migrate", log=HOME / "migrate.log")


def isolate(settings: dict[str, str]) -> None:
    """Whatever Airflow or AWS the user has set up in this shell is not the demo's business."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        del os.environ[name]
    os.environ.update(settings)


def settings(endpoint: str, url: str, database_url: str) -> dict[str, str]:
    aws = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {"endpoint_url": endpoint, "region_name": REGION},
    }
    return {
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        # The driver works for both kinds of connections.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database_url,
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        # One of the tasks of the loop waits for others.
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-the-demo-which-runs-on-loopback",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def processor_time(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def say(text: str) -> None:
    print(f"-- {time.monotonic() - STARTED:3.0f} s: {text}", flush=True)


if __name__ == "__main__":
    main()
