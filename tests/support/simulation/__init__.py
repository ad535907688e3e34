"""A cluster in virtual time: one seed fixes every delay, crash, preemption, late answer and driver kill.

    chance.py      draws that depend on the seed and on what is drawn, not on what was drawn before
    scenario.py    what a seed makes of the cluster, of the search, and of the misfortunes of both
    fates.py       what becomes of an attempt to score candidates
    machines.py    workers and nodes, and what lies at them
    timeline.py    virtual time: what is going to happen, and messages in batches
    sim_fleet.py   a Fleet on these
    watch.py       an optimizer that looks whether what it hears is on disk
    driver.py      a whole search with sessions that are killed, over a journal on disk
    invariants.py  what must hold whatever happens
    mutants.py     bugs that the invariants have to find
    check.py       check(seed): run, look, report

Coordinator, dispatcher, roster, search, archive and journal are the program's own. To see a seed again:
`python tests/benchmarks/simulator.py --seed 17 --trace`.
"""
