"""Notifiers of Airflow for alerts."""
