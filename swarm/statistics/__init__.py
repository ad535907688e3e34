"""What scores on a sample of examples can show: intervals, paired comparisons, a predicted test score, a verdict.

    intervals.py             means and paired differences with 95 % intervals; emergence
    multiple_comparisons.py  the best against all baselines at once: simultaneous intervals (single-step max-|t|)
    winners_curse.py         the test score of the winner, predicted from the select split; selection bias
    verdict.py               which claim these intervals support, in sentences
    sweeps.py                scores against coefficients: monotonicity, crossings, spill-over
    wording.py               numbers and names of baselines as words

It imports `swarm.core`, numpy and scipy. Everything is a pure function of scores: nothing here reads a journal, a
config or a file, nothing depends on the clock, and random draws use fixed seeds, so that the same scores give the same
summary.
"""
