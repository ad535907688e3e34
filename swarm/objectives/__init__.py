"""The objectives: what a search maximises. They turn examples into requests, and answers into scores.

To add one, write one file and one line:
1. Write `swarm/objectives/NAME.py` with a frozen settings class, its `type` a Literal of NAME. Derive it from
   - `PromptedObjective` (prompting.py) if its requests start with the example's prompt: `self.prompt(example)` brings
     the template, the context and the chat form;
   - `GeneratingObjective` (generating.py) if the model generates one text: `requests` is there already;
   - `ReplyObjective` (replies.py) if that text is read as a reply, without a right answer;
   - `Objective` (base.py) if neither fits.
2. Give it three functions: `check` refuses with a DataError what can never be scored (call `super().check` first),
   `requests` asks the engine, `score` turns its answers, in the same order, into a `Scored`. `likelihoods` and
   `generated` (base.py) check the answers: a NaN becomes a failed evaluation.
3. Say what is known beyond the score, and races end sooner: the bounds of scores in `range`, a log-likelihood beside
   them in `Scored.surrogate`. `Scored.margin` says how far an answer is from the other side; optimizers can climb it.
   If scores depend on files of the user's, name them in `files`. With `shares_requests`, objectives that ask the same
   of an example ask it once. An objective that brings its own examples returns them in `examples`. Where other models
   score, `score_all` may ask them for many examples at a time. `compares_with_base` where a model alone has no score.
4. Import the class here and add its line to OBJECTIVES. The configuration, its schema and the tests that all objectives
   must pass (tests/objectives/test_objectives.py) take it from there.

It imports core alone, never torch. An objective sees examples, requests and answers, never a model or a candidate.
"""

from swarm.objectives.base import Objective
from swarm.objectives.calibration import Calibration
from swarm.objectives.clarification import Clarification
from swarm.objectives.diversity import Diversity
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.function import UserFunction
from swarm.objectives.judge import Judge
from swarm.objectives.knowledge import Knowledge
from swarm.objectives.level import LevelRate
from swarm.objectives.lexical_alignment import LexicalAlignment
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.lm_eval import LmEval
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.objectives.preference import Preference
from swarm.objectives.profanity import Profanity
from swarm.objectives.refusal import Refusal
from swarm.objectives.reliability import Reliability
from swarm.objectives.reward_model import RewardModel
from swarm.objectives.sentiment import EmotionalAlignment, Warmth

OBJECTIVES: dict[str, type[Objective]] = {
    "multiple_choice": MultipleChoice,
    "exact_match": ExactMatch,
    "likelihood": AnswerLikelihood,
    "level": LevelRate,
    "function": UserFunction,
    "lm_eval": LmEval,
    "preference": Preference,
    "calibration": Calibration,
    "reliability": Reliability,
    "refusal": Refusal,
    "clarification": Clarification,
    "profanity": Profanity,
    "warmth": Warmth,
    "emotional_alignment": EmotionalAlignment,
    "lexical_alignment": LexicalAlignment,
    "diversity": Diversity,
    "reward_model": RewardModel,
    "judge": Judge,
    "knowledge": Knowledge,
}
