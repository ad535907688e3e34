"""Labelled examples: read from files, split without overlap, compared with what experts were trained on.

    examples.py        JSON lines and Model Swarms files
    duplicates.py      examples that are the same or nearly the same
    stratified.py      the seeded split, with the same share of every task
    splits.py          search, select and test of every objective
    contamination.py   examples that an expert was trained on

It imports core alone. It must never know models, objectives or scores, and a split must never depend on them.
"""
