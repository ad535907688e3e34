"""A candidate's way from a position to per-example scores."""
