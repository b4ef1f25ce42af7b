"""Every error that serval raises on purpose.

```
ServalError
├── ConfigError        (ValueError)         an option or a file of options is wrong
│   └── LabelError     (ValueError)         a label is unknown, missing or ambiguous
├── AudioError         (ValueError)         one clip cannot be decoded; becomes a Failure
│   ├── TooLongError   (ValueError)         it is longer than what the model takes
│   └── TruncatedError (ValueError)         its sound ends before the file says that it does
├── DatasetError       (ValueError)         a dataset has not the shape that was asked for
│   ├── DatasetNotFoundError (LookupError)  no such set, split, file or column
│   ├── AccessError    (PermissionError)    the hub wants a token or an accepted licence
│   └── NetworkError   (ConnectionError)    the hub cannot be reached
├── ModelError         (ValueError)         a model file cannot be opened or breaks its contract
├── RunError           (RuntimeError)       a run folder cannot be read, or belongs to another run
│   └── RunLockedError (RuntimeError)       another process writes into the run folder
├── WriteError         (OSError)            a file or folder cannot be written
└── MissingExtraError  (ImportError)        an optional package is not installed
```

A message names the subject, the fault and the remedy in one line. The command line prints it and
exits 2; any other exception is a bug and keeps its traceback.
"""

__all__ = [
    "AccessError",
    "AudioError",
    "ConfigError",
    "DatasetError",
    "DatasetNotFoundError",
    "LabelError",
    "MissingExtraError",
    "ModelError",
    "NetworkError",
    "RunError",
    "RunLockedError",
    "ServalError",
    "TooLongError",
    "TruncatedError",
    "WriteError",
]


class ServalError(Exception):
    """Root of every error that serval raises on purpose."""


class ConfigError(ServalError, ValueError):
    """An option, or a file that holds options, is wrong."""


class LabelError(ConfigError):
    """A label is unknown, missing or ambiguous."""


class AudioError(ServalError, ValueError):
    """One clip cannot be turned into a waveform that the model accepts."""


class TooLongError(AudioError):
    """A clip is longer than what the model, or the audit, takes."""


class TruncatedError(AudioError):
    """A clip's sound ends before its file says that it does."""


class DatasetError(ServalError, ValueError):
    """A dataset has not the shape that was asked for."""


class DatasetNotFoundError(DatasetError, LookupError):
    """There is no such dataset, split, file or column."""


class AccessError(DatasetError, PermissionError):
    """The hub wants a token, or an accepted licence, for this dataset."""


class NetworkError(DatasetError, ConnectionError):
    """The hub cannot be reached, or answers with an error again and again."""


class ModelError(ServalError, ValueError):
    """A model file cannot be opened, or does not keep its contract."""


class RunError(ServalError, RuntimeError):
    """A run folder cannot be read, or belongs to another run."""


class RunLockedError(RunError):
    """Another process is writing into the run folder."""


class WriteError(ServalError, OSError):
    """A file or folder cannot be written: the disk is full, or the place is not ours."""


class MissingExtraError(ServalError, ImportError):
    """An optional package is not installed."""
