"""Lets a failed assert in tests/helpers/ say as much as one in a test; asks for no time of a property."""

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("helpers")
settings.register_profile("fastmlp", deadline=None)  # the machine may have something else to do
settings.load_profile("fastmlp")
