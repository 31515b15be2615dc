"""
Fixtures for tests of DAGs and tasks that use the provider: a pytest plugin.

Install ``airflow-provider-aporia[testing,embedded]``. The fixtures are then there in every test:

* ``aporia_s3``: an S3 on loopback behind the Airflow connection ``aws_default``, with a bucket of the test's
  own. Its credentials are not real. See :class:`~aporia_provider.testing.s3.LocalS3`.
* ``aporia_registry``: an embedded backend of the test's own, which hooks and operators use. See
  :class:`~aporia_provider.backend.embedded.EmbeddedRegistry`.
* ``aporia_run``: runs a task without a metadata database. See
  :class:`~aporia_provider.testing.tasks.TaskRunner`.
* ``aporia_write_delta``: writes a Delta table and returns its data source. See
  :class:`~aporia_provider.testing.tables.TableWriter`.

Fixtures change environment variables only, and only until the test ends.

moto's ``mock_aws`` does not work with Delta tables: it replaces what botocore sends within this process,
whereas delta-rs and the engine, which read and write Delta tables, send their requests without botocore. With
``mock_aws`` these requests would leave the machine. ``aporia_s3`` is a server, which all of them reach.

This module is registered as a pytest plugin by an entry point, which ``-p no:aporia_provider.testing`` turns
off. Where plugins are not loaded by themselves, ``-p aporia_provider.testing`` turns it on.
"""

from __future__ import annotations

from aporia_provider.testing.fixtures import (
    aporia_registry,
    aporia_run,
    aporia_s3,
    aporia_s3_endpoint,
    aporia_write_delta,
)

__all__ = ["aporia_registry", "aporia_run", "aporia_s3", "aporia_s3_endpoint", "aporia_write_delta"]
