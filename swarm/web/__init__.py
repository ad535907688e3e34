"""A page of runs in the browser: `swarm ui`. It reads journals and summaries, and changes nothing.

    pages.py    the views: the list, a run's report, two runs compared
    watcher.py  which runs have changed
    server.py   HTTP on the loopback address, with server-sent events

May import: core, journal, report, and of run/ what only reads. Never in here: torch, transformers or Ray, or a path
that comes out of a request.
"""
