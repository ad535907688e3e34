"""The engine that runs on transformers."""
