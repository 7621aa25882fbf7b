"""The reference of the documentation, written from the code: `python -m tools.reference` (make reference)."""
