"""The wiring diagrams of the documentation, in our own few strokes: `python -m tools.drawings` (make reference)."""
