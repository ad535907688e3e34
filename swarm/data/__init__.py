"""Labelled examples: read from files, split without overlap, compared with what experts were trained on.

    files.py           data files by the kind that their name says: JSON lines, JSON, tables, Parquet
    tables.py          CSV and TSV
    shapes.py          rows of common data sets, in one shape
    labels.py          which choice is the right one
    examples.py        examples, from rows
    pairs.py           preferences: two answers to one prompt, of which one is chosen
    duplicates.py      examples that are the same or nearly the same
    stratified.py      the seeded split, with the same share of every task
    overlap.py         no example in two splits: refused, or dropped from one
    solved_examples.py test examples that prompts show with their answers
    splits.py          search, select and test of every objective
    contamination.py   examples that an expert was trained on
    curation.py        few of many examples, chosen for training, with an account of each
    curation_settings.py, curation_filters.py, patterns.py, quotas.py, diversity.py: its steps

It imports core alone. It must never know models, objectives or scores, and a split must never depend on them.
"""
