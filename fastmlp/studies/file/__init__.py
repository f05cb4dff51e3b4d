"""Study files: their schema, and reading them."""
