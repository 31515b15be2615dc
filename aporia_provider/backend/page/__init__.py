"""Web page of the embedded backend: rendered HTML, served by ``aporia-provider serve`` and by Airflow."""
