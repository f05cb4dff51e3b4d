"""Lets a failed assert in tests/helpers/ say as much as one in a test."""

import pytest

pytest.register_assert_rewrite("helpers")
