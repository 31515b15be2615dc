"""The web page inside Airflow, whose users come from Airflow's auth manager."""
