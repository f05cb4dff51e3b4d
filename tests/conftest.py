"""Lets a failed assert in tests/helpers/ say as much as one in a test; takes the machine as it is."""

import signal

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("helpers")
settings.register_profile("fastmlp", deadline=None)  # the machine may have something else to do
settings.load_profile("fastmlp")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
