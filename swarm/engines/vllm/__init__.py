"""The engine that runs on vLLM."""
