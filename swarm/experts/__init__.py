"""The base and its experts on disk, and the arithmetic that composes them."""
