"""What several test modules share: one module here for each group of them, test_<group>_*.py."""
