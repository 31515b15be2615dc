"""Airflow's API server on loopback, with users that have roles, and without the other components."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests import servers
from tests.airflow.deployment import AIRFLOW, SECONDS


@dataclass(frozen=True)
class ApiServer:
    """
    A running API server.

    :param url: Its URL.
    """

    url: str

    def token(self, user: str) -> str:
        """The token of a user, whose password is the name."""
        body = {"username": user, "password": user}
        reply = httpx2.post(f"{self.url}/auth/token", json=body, trust_env=False, timeout=60)
        token: str = reply.raise_for_status().json()["access_token"]
        return token


@contextmanager
def api_server(home: Path, migrated: Path, users: Mapping[str, str], **settings: str) -> Iterator[ApiServer]:
    """
    Run an API server until the block ends.

    :param home: Its AIRFLOW_HOME.
    :param migrated: The metadata database, of which it uses a copy.
    :param users: Roles by name of the users, whose passwords are their names.
    :param settings: Further environment variables.
    """
    port = servers.free_port()
    shutil.copy(migrated, home / "airflow.db")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in users}))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{users[name]}" for name in users),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(b"a key of this test deployment 32").decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-deployment",
        **settings,
    }
    url = f"http://127.0.0.1:{port}"
    command = [str(AIRFLOW), "api-server"]
    ready = f"{url}/api/v2/version"
    log = str(home / "api-server.log")
    with servers.process(command, ready=ready, env=environment, log=log, seconds=SECONDS):
        yield ApiServer(url)
