"""A run, from a resolved config to its result. In the order in which it comes about:

    plan.py               opens and checks all that a config names
    budget_notes.py       whether the budget reaches beyond the starting points
    recorded_base_notes.py  adapters that name another base
    requirements.py       what workers need: files, versions, memory; and disk for best/
    timing.py             a short timing of the model
    proposal_timing.py    a short timing of the optimizer
    phases.py             how long each phase will take
    forecast.py           what `swarm check` predicts
    base_answers.py       what the base answers to the first examples, and how that is graded
    likely_causes.py      why it may have none of them right, or all
    show_prompts.py       both, as `swarm check --show` has them
    directory.py          the files of a run directory
    lock.py               its lock
    provenance.py         what a run rests on, and that it is the same at resume
    continuation.py       the scores of another run, for a search that continues it
    compose.py            known coefficients, to be exported without a run
    workers.py            the workers, with the examples of each split
    pipeline.py           the steps: search, select, test, finish
    tracking.py           the status counter and the trackers that follow it
    summarise.py          the figures of summary.json
    finish.py             export, summary, report
    verify_export.py      the exported model scored again
    export_candidate.py   any candidate of a run, to be exported

It may import every room but the command line, and nothing but the command line imports it. No step keeps state of its
own: what is known is in the journal. Nothing here may print, or score candidates itself.
"""
