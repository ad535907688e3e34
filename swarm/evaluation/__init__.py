"""From a candidate's position to its per-example scores, and when to stop scoring it.

It may import core, data, experts, objectives, preferences, compositions and engines. It must not know optimizers, the
journal or how many workers there are: a worker holds one evaluator, and an evaluation depends on its task alone.
"""
