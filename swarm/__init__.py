"""Swarm finds, without gradients, the best weighting of language-model experts."""

__version__ = "0.1.0"
