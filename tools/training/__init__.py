"""Training of the tiny models that the package carries."""
