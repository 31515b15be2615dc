"""
Pytest plugin with fixtures for tests of DAGs and tasks that use the provider.

Install ``airflow-provider-aporia[testing,embedded]``. The following fixtures are then available in all tests:

* ``aporia_s3``: an S3 server on loopback, configured as the Airflow connection ``aws_default``, with a bucket
  for each test. Its credentials are fake. See :class:`~aporia_provider.testing.s3.LocalS3`.
* ``aporia_registry``: an embedded backend for each test, used by hooks and operators. See
  :class:`~aporia_provider.backend.embedded.EmbeddedRegistry`.
* ``aporia_run``: runs a task without a metadata database. See
  :class:`~aporia_provider.testing.tasks.TaskRunner`.
* ``aporia_write_delta``: writes a Delta table and returns its data source. See
  :class:`~aporia_provider.testing.tables.TableWriter`.

Fixtures only change environment variables, which are restored when the test ends.

moto's ``mock_aws`` does not work with Delta tables: it intercepts the requests of botocore, but delta-rs and
the engine, which read and write Delta tables, do not use botocore. With ``mock_aws``, their requests would
leave the machine. ``aporia_s3`` is a server that all of them can use.

An entry point registers this module as a pytest plugin. ``-p no:aporia_provider.testing`` disables it; where
plugins are not loaded automatically, ``-p aporia_provider.testing`` enables it.
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
