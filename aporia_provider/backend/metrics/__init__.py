"""Answers to questions about metrics, from the profiles in the database."""
