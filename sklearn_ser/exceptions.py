"""Errors that a user can correct, and warnings.

Each message is one or two sentences that name the file or option and what to do about it. The
command line prints the message alone and ends with `exit_code`: 2 where the command line, the data
or the model was wrong, 1 where the work itself failed.
"""


class SerError(Exception):
    """Whatever this package raises on purpose."""

    exit_code = 2


class AudioError(SerError, ValueError):
    """Audio that cannot be used: unreadable, empty, of the wrong shape, not finite.

    Parameters
    ----------
    message : str
        What is wrong and how to mend it.
    failures : dict of int to str, default=None
        Where several clips of one batch failed: the position of each in the batch, and its own
        message.
    """

    def __init__(self, message: str, failures: dict[int, str] | None = None):
        super().__init__(message)
        self.failures = failures or {}

    def __reduce__(self):
        return type(self), (str(self), self.failures)


class CorpusError(SerError, ValueError):
    """A corpus that is unknown, not there, empty, or lacks what was asked of it."""


class DownloadError(SerError, OSError):
    """A download that did not arrive whole."""

    exit_code = 1


class ModelError(SerError, ValueError):
    """A model file that is missing, damaged, of other versions, or not to be trusted."""


class OutputError(SerError, OSError):
    """A result that could not be written; nothing half-written is left behind."""

    exit_code = 1


class LeakageError(SerError, RuntimeError):
    """A test set that is not apart from the training set: the scores would mean nothing."""

    exit_code = 1


class SearchStopped(SerError):  # noqa: N818  it is no error to stop
    """A search that was interrupted; the message says what is kept and how to go on."""

    exit_code = 1


class OptionError(SerError, ValueError):
    """An option, or several together, that make no sense."""


class UnfinishedError(SerError, RuntimeError):
    """Work that its user broke off, and that can go on from where it was."""

    exit_code = 1


class CorpusWarning(UserWarning):
    """Something about a corpus that its user should know: files left out, copies counted once."""


class LeakageWarning(UserWarning):
    """Copies of the same clip in training and test set: the scores flatter."""
