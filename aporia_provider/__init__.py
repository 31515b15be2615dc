"""Apache Airflow provider and embedded monitoring backend for Aporia's protocol."""

__version__ = "0.2.0"
