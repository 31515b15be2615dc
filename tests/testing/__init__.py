"""Tests of the fixtures for users of the provider."""
