"""Imports that :mod:`tests.backend.forked_commands` does once for all commands."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

# As in a command: Airflow logs to the sys.stdout at the time of its first import.
with redirect_stdout(sys.stderr):
    import airflow.models

import alembic.command
import alembic.config
import alembic.op
import psycopg
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.orm
import uvicorn.lifespan.on
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.auto

import aporia_provider.backend.embedded
import aporia_provider.backend.metrics.query_execution
import aporia_provider.backend.server.serve
import aporia_provider.cli.main
import aporia_provider.report

_ = (airflow, alembic, aporia_provider, psycopg, sqlalchemy, uvicorn)
sqlalchemy.orm.configure_mappers()
