"""The types that all packages share (candidates, examples, requests, recipes, the space), and a few tools: errors,
settings, atomic file writes, interrupts.

It imports nothing of Swarm. It must never know torch, ray, an optimizer, an engine or the format of a file.
"""
