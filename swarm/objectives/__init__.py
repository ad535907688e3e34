"""The objectives: what a search maximises. To add one, write one file and one line.

1. Write `swarm/objectives/NAME.py` with a frozen settings class, its `type` a Literal of NAME. Derive it from
   - `PromptedObjective` (prompting.py) if its requests start with the example's prompt: `self.prompt(example)` brings
     the template, the context and the chat form;
   - `GeneratingObjective` (generating.py) if the model writes one text: `requests` is there already;
   - `Objective` (base.py) if neither fits.
2. Give it the three functions that `base.py` promises: `check` refuses with a DataError what can never be scored
   (call `super().check` first), `requests` asks the engine, `score` turns its answers, in the same order, into a
   `Scored`. Answers come through `answers.py`, which turns NaN into a failed evaluation. Where scores have bounds,
   say them in `range`, and where there is a log-likelihood beside them, in `Scored.guide`: races end sooner by both.
   Of what is right or wrong, `Scored.margin` says how surely, where that is known: a search finds its way by it.
3. Import the class here and add its line to OBJECTIVES. The configuration, its schema and the tests that all
   objectives must pass (tests/objectives/test_objectives.py) take it from there.

Higher is better. No torch, no files: an objective sees examples, requests and answers alone.
"""

from swarm.objectives.base import Objective
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.function import UserFunction
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.multiple_choice import MultipleChoice

OBJECTIVES: dict[str, type[Objective]] = {
    "multiple_choice": MultipleChoice,
    "exact_match": ExactMatch,
    "likelihood": AnswerLikelihood,
    "function": UserFunction,
}
