"""Metadata that Airflow reads to discover the provider."""

from __future__ import annotations

from typing import Any

_CONNECTION_FIELDS = {
    "environment": {
        "label": "Environment",
        "description": (
            "Leave it empty: our server returns the environment of the token, and the embedded backend "
            "takes [aporia] environment. Other servers do not tell it, so name it for them."
        ),
        "schema": {"type": ["string", "null"], "default": None},
    },
    "timeout": {
        "label": "Timeout",
        "description": "Seconds that one request may take.",
        "schema": {"type": ["number", "null"], "default": 30, "minimum": 1},
    },
    "verify_ssl": {
        "label": "Verify the server's certificate",
        "description": "Turn off only for a test server.",
        "schema": {"type": ["boolean", "null"], "default": True},
    },
}

_OPTIONS: dict[str, dict[str, Any]] = {
    "database_url": {
        "description": (
            "SQLAlchemy URL of the embedded backend's database. Empty means SQLite in AIRFLOW_HOME. "
            "PostgreSQL has to be prepared once with 'aporia-provider migrate'."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "sensitive": True,
        "example": "postgresql+psycopg://aporia:…@db/aporia",
        "default": "",
    },
    "environment": {
        "description": (
            "Environment of the embedded backend, and of servers that do not tell theirs, if the connection "
            "names none."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "prod",
        "default": "default",
    },
    "engine": {
        "description": (
            "What reads the data: 'embedded' runs Sail beside the task on loopback; 'sc://host:port/;…' is a "
            "Spark Connect endpoint, which brings its own access to S3."
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
            "Seconds that the embedded engine of a sync may run. Then it is ended, and the task fails and is "
            "retried. 0 means as long as it takes. For a cluster, use the task's execution_timeout."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "600",
        "default": "3600",
    },
    "engine_memory_limit": {
        "description": (
            "Mebibytes of memory that the embedded engine of a sync may use. At more it is ended, and the "
            "task fails and is not retried. 0 means 4096, or three quarters of what the worker has if that "
            "is less."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "2048",
        "default": "0",
    },
    "allowed_local_folders": {
        "description": (
            "Folders, separated by colons, under which a server accepts data sources on its local disk. "
            "Empty means none. If there are any, syncs read nothing else on the local disk either, so set it "
            "for the workers that sync what a server has registered, too."
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
                    "aporia_provider.hooks.aporia",
                    "aporia_provider.hooks.delta_lake",
                    "aporia_provider.hooks.metrics",
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
                    "aporia_provider.operators.retirement",
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
                        "password": "made by 'aporia-provider token create'",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "extra-links": [
            "aporia_provider.links.ModelVersionLink",
            "aporia_provider.links.DeltaTableLink",
        ],
        "asset-uris": [
            {
                "schemes": ["aporia"],
                "handler": "aporia_provider.assets.sanitize_uri",
                "factory": "aporia_provider.assets.create_asset",
                "to_openlineage_converter": "aporia_provider.assets.convert_asset_to_openlineage",
            }
        ],
        "config": {
            "aporia": {
                "description": "The embedded monitoring backend.",
                "options": _OPTIONS,
            }
        },
    }
