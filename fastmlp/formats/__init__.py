"""What a fitted model is on disk and to other libraries."""
