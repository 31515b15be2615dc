"""Tests of the embedded backend."""

import pytest

pytest.register_assert_rewrite("tests.backend.syncing")
