"""Apache Airflow provider and embedded monitoring backend that speak Aporia's protocol."""

__version__ = "0.1.0"
