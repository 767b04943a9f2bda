"""Every error a user can cause: one type per cause, one sentence form, one exit code each."""

from __future__ import annotations

from collections.abc import Callable


class TailgateError(Exception):
    """A failure that the user can act on.

    Parameters
    ----------
    found : str
        What was found, as a full clause without a closing stop.
    where : str
        The file, key, session, node or command it was found in.
    expected : str
        What was expected instead.
    remedy : str
        What to do about it.
    """

    exit_code = 2

    def __init__(self, *, found: str, where: str, expected: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.where = where
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[Callable[..., TailgateError], tuple[type[TailgateError], dict[str, str]]]:
        # An exception is pickled by its positional arguments; these are named, and workers send errors back.
        return _rebuild, (type(self), self.__dict__)

    def __str__(self) -> str:
        return f"{self.where}: {self.found}. Expected {self.expected}. {self.remedy}."


def _rebuild(kind: type[TailgateError], parts: dict[str, str]) -> TailgateError:
    return kind(**parts)


class ConfigError(TailgateError):
    """The composed configuration is not valid."""


class RecordingError(TailgateError):
    """A recording, or the place it is read from, cannot be used."""


class SplitError(TailgateError):
    """The requested split cannot be made, or would leak."""


class OperatorError(TailgateError):
    """The network holds something that the device kernels do not implement."""


class TrainingError(TailgateError):
    """Training came to nothing."""


class ToolchainError(TailgateError):
    """A compiler or an emulator is missing or failed."""


class ArtifactError(TailgateError):
    """A file of an earlier stage is missing, truncated or not what its contract says."""


class GateRefused(TailgateError):
    """The tail of the score distribution did not survive quantisation."""

    exit_code = 3


class BudgetExceeded(TailgateError):
    """The device needs more instructions, flash or RAM than the board's budget."""

    exit_code = 4


class ParityBroken(TailgateError):
    """Two executions of the same integers disagree."""

    exit_code = 5


class AuditFailed(TailgateError):
    """A release is not what was signed, or cannot be made again."""

    exit_code = 6


class DeviceError(TailgateError):
    """A device does not answer, or does not take what it is given."""
