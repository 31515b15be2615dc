"""Metrics of model versions in Delta tables in the layout of the data profiling of Databricks."""
