"""Every error the program raises on purpose, and how an error is put into one line.

SwarmError              one line; exit code 1 where it is none of those below that have another
├── UserError          the user's mistake: key or file, value, remedy, in one line; exit code 2
│   ├── ConfigError    in the configuration
│   ├── DataError      in the examples
│   │   └── ChatTemplateError  the base's chat template cannot render one
│   ├── ExpertError    in the base or an expert
│   └── RunError       in a run directory: locked, corrupt, unfinished
│       └── StrandedError  no worker is available: nothing is wrong with the run; exit code 130, as it can be resumed
├── ExportError        the exported model is not the one that was searched: exit code 1
└── EvaluationError    one candidate could not be scored: becomes data, never a crash
    ├── NotFiniteError the candidate's scores are infinite or no numbers
    └── DeviceError    the candidate may not be the cause: another worker may succeed
"""

from swarm.core.terminal_text import one_line


class SwarmError(Exception):
    """Root of the tree."""


class UserError(SwarmError):
    """The user's mistake: one line that names the key or file, the value and the remedy.

    It is one line whatever the names and values in it hold.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class ConfigError(UserError):
    """The configuration is wrong."""


class DataError(UserError):
    """An example, a data file or a split is wrong."""


class ChatTemplateError(DataError):
    """The base's chat template cannot render an example."""


class ExpertError(UserError):
    """The base or an expert cannot be used."""


class RunError(UserError):
    """A run directory cannot be used."""


class StrandedError(RunError):
    """A run has no workers to continue with, for now."""


class ExportError(SwarmError):
    """The exported model gives other answers than the composition that was searched."""


class EvaluationError(SwarmError):
    """A candidate cannot be scored; the evaluator turns it into a failed evaluation."""


class NotFiniteError(EvaluationError):
    """A candidate's log-likelihoods or logits are not finite."""


class DeviceError(EvaluationError):
    """The device failed while a candidate was scored."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where it has no message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
