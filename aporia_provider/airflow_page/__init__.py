"""The web page inside Airflow: its users are those of Airflow's auth manager."""
