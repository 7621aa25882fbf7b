"""Reports of a session on a bench: JSON, JUnit, and one HTML page with what was seen as timing diagrams."""
