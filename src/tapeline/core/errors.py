"""Every error that a person can cause or has to know of. One sentence each: what, where, what to do."""

from __future__ import annotations


class TapelineError(Exception):
    """Root of our own errors. Its text is one clear sentence for a person."""


class BadInput(TapelineError):
    """What the person gave cannot be used. The command line prints the sentence and exits with ``exit_code``."""

    exit_code = 2


class BadArgument(BadInput, ValueError):
    """What a library call was given cannot be used. A ``ValueError`` too, as Python's own libraries would raise."""


class ConfigError(BadInput):
    """A key or a value of the configuration is wrong; the text names its path."""


class DataError(BadInput):
    """A data file cannot be read or does not hold what it should."""


class HomeBusy(BadInput):
    """Another node already runs in this home."""


class PortInUse(BadInput):
    """The address that we should listen on is taken."""


class StoreError(BadInput):
    """The store on disk is unreadable or the disk is full. The file is kept, never overwritten."""


class BadMessage(TapelineError):
    """Bytes from outside that do not parse; the entry goes to the dead letters with this reason."""


class Unavailable(TapelineError):
    """A service of ours (Valkey, the simulator, a worker) is not there."""


class ProcessDied(Unavailable):
    """A child process ended before it was asked to."""
