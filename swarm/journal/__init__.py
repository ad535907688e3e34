"""What a run writes and reads back, as types: the journal, line by line, and the summary of its result.

`file.py` appends and reads the journal, `records.py` types its lines (`sources.py` what the first one names),
`archive.py` indexes them, `consistency.py` refuses a line that contradicts those before it, `packed.py` keeps scores
small, `summary.py` types summary.json (`front_summary.py` its front, `front_words.py` what may be claimed of that).
May import: the core, preferences and statistics. Never in here: torch, transformers or Ray; anything that decides what
is scored.
"""
