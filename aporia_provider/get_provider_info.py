"""Metadata that Airflow reads to discover the provider."""

from __future__ import annotations

from typing import Any

_CONNECTION_FIELDS = {
    "environment": {
        "label": "Environment",
        "description": (
            "Environment of the models. Required only for servers that do not report the environment of a "
            "token. 'aporia-provider serve' reports it, and the embedded backend uses [aporia] environment."
        ),
        "schema": {"type": ["string", "null"], "default": None},
    },
    "timeout": {
        "label": "Timeout",
        "description": "Time limit of a request in seconds.",
        "schema": {"type": ["number", "null"], "default": 30, "minimum": 1},
    },
    "verify_ssl": {
        "label": "Verify the server's certificate",
        "description": "Disable only for a test server.",
        "schema": {"type": ["boolean", "null"], "default": True},
    },
}

_OPTIONS: dict[str, dict[str, Any]] = {
    "database_url": {
        "description": (
            "SQLAlchemy URL of the embedded backend's database. Empty: SQLite in AIRFLOW_HOME. "
            "Run 'aporia-provider migrate' once before PostgreSQL is used."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "sensitive": True,
        "example": "postgresql+psycopg://aporia:…@db/aporia",
        "default": "",
    },
    "environment": {
        "description": (
            "Environment of the embedded backend, and of servers that do not report theirs, if the "
            "connection has none."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "prod",
        "default": "default",
    },
    "engine": {
        "description": (
            "Engine that reads the data: 'embedded' starts Sail as a child process of the task; "
            "'sc://host:port/;…' is a Spark Connect cluster, which has its own access to S3."
        ),
        "version_added": "0.1.0",
        "type": "string",
        # The URL of a cluster may contain a token.
        "sensitive": True,
        "example": "sc://spark:15002",
        "default": "embedded",
    },
    "engine_deadline": {
        "description": (
            "Time limit of the embedded engine of a sync in seconds. When it is exceeded, the engine is "
            "stopped, and the task fails and is retried. 0: no limit. For a cluster, set the "
            "execution_timeout of the task."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "600",
        "default": "3600",
    },
    "engine_memory_limit": {
        "description": (
            "Memory limit of the embedded engine of a sync in MiB. When it is exceeded, the engine is "
            "stopped and the sync is repeated once with smaller batches; then the task fails and is not "
            "retried. 0: 4096, or three quarters of the memory of the worker if that is less."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "2048",
        "default": "0",
    },
    "page_url": {
        "description": (
            "URL of the web page, to which alerts and tasks link. Empty: the page inside Airflow, if [api] "
            "base_url is set. For the page of 'aporia-provider serve --page', the URL that ends with /page."
        ),
        "version_added": "0.2.0",
        "type": "string",
        "example": "https://monitoring.example.com/page",
        "default": "",
    },
    "allowed_local_folders": {
        "description": (
            "Folders, separated by colons, in which a server accepts data sources on its local disk. Empty: "
            "none. If set, syncs do not read other local paths; set it also for the workers that sync the "
            "datasets of a server."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "/data/lake:/data/exports",
        "default": "",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata for the ``apache_airflow_provider`` entry point."""
    integration = "Aporia"
    return {
        "package-name": "airflow-provider-aporia",
        "name": "Aporia",
        "description": "Registers model versions, connects their Delta tables on S3, and monitors them.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://docs.aporia.com/v1/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": [
                    "aporia_provider.hooks.alerts",
                    "aporia_provider.hooks.aporia",
                    "aporia_provider.hooks.delta_lake",
                    "aporia_provider.hooks.health",
                    "aporia_provider.hooks.metric_tables",
                    "aporia_provider.hooks.metrics",
                    "aporia_provider.hooks.monitors",
                    "aporia_provider.hooks.segments",
                    "aporia_provider.hooks.spark_connect",
                    "aporia_provider.hooks.sync",
                ],
            }
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    "aporia_provider.operators.model",
                    "aporia_provider.operators.version",
                    "aporia_provider.operators.completion",
                    "aporia_provider.operators.dataset",
                    "aporia_provider.operators.access",
                    "aporia_provider.operators.sync",
                    "aporia_provider.operators.sync_datasets",
                    "aporia_provider.operators.retirement",
                    "aporia_provider.operators.monitors",
                    "aporia_provider.operators.segments",
                    "aporia_provider.operators.alerts",
                    "aporia_provider.operators.health",
                    "aporia_provider.operators.version_comparison",
                    "aporia_provider.operators.export",
                ],
            }
        ],
        "notifications": ["aporia_provider.notifications.webhook.AporiaAlertNotifier"],
        "sensors": [
            {
                "integration-name": integration,
                "python-modules": [
                    "aporia_provider.sensors.delta_table",
                    "aporia_provider.sensors.dataset_sync",
                    "aporia_provider.sensors.label_coverage",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": integration,
                "python-modules": [
                    "aporia_provider.triggers.table_commits",
                    "aporia_provider.triggers.table_waiting",
                    "aporia_provider.triggers.api_waiting",
                ],
            }
        ],
        "connection-types": [
            {
                "connection-type": "aporia",
                "hook-class-name": "aporia_provider.hooks.aporia.AporiaHook",
                "hook-name": "Aporia",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "extra"],
                    "relabeling": {"host": "Server URL", "password": "Token"},
                    "placeholders": {
                        "host": "https://aporia.example.com; empty for the embedded backend",
                        "password": "from 'aporia-provider token create'",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "extra-links": [
            "aporia_provider.links.ModelVersionLink",
            "aporia_provider.links.ModelPageLink",
            "aporia_provider.links.DeltaTableLink",
        ],
        "asset-uris": [
            {
                "schemes": ["aporia"],
                "handler": "aporia_provider.assets.sanitize_uri",
                "factory": "aporia_provider.assets.create_asset",
                "to_openlineage_converter": "aporia_provider.assets.convert_asset_to_openlineage",
            },
            {
                # Airflow does not normalize URIs whose scheme begins with x-.
                "schemes": ["x-delta"],
                "handler": None,
                "to_openlineage_converter": "aporia_provider.table_assets.convert_asset_to_openlineage",
            },
        ],
        "config": {
            "aporia": {
                "description": "Embedded monitoring backend.",
                "options": _OPTIONS,
            }
        },
    }
