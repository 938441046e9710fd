"""The one way to say what came of asking: a value, or the reason why there is none.

In: whatever a fetch, a vote or a dead letter found.  Out: ``Outcome[T]``.
Refuses to turn an absence into a number: ``unwrap`` raises, nothing here has a default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from tapeline.core.errors import TapelineError

T = TypeVar("T")
U = TypeVar("U")


class Kind(StrEnum):
    """What came of asking. Only ``VALUE`` carries something to act on."""

    VALUE = "value"
    NO_DATA = "no_data"
    """The source answered, and there is nothing: a halted stock, an empty feed."""
    STALE = "stale"
    """There is something, but it is older than the asker may use."""
    LIMITED = "limited"
    """We did not ask, or were refused, because of a rate limit or an open breaker."""
    ERROR = "error"
    """The source failed, or answered something that cannot be read."""
    ABSTAINED = "abstained"
    """The source understood and has no opinion. Never the same as a neutral opinion."""


class NoValue(TapelineError):
    """Somebody unwrapped an outcome that holds no value."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A value with its origin, or the typed reason for having none.

    Attributes
    ----------
    kind
        What came of asking.
    source
        Who was asked, e.g. ``"alpaca"``.
    reason
        One sentence for a person; empty for a value.
    as_of_ns
        What the answer is true of, in UTC nanoseconds; None when unknown.
    """

    kind: Kind
    source: str
    value: T | None = None
    reason: str = ""
    as_of_ns: int | None = None

    def __post_init__(self) -> None:
        if (self.kind is Kind.VALUE) != (self.value is not None):
            raise ValueError(f"an outcome of kind {self.kind} with value {self.value!r}: only a value carries one")

    @property
    def is_value(self) -> bool:
        """True when there is something to act on."""
        return self.kind is Kind.VALUE

    def unwrap(self) -> T:
        """Return the value, or raise ``NoValue`` with the reason."""
        if self.value is None:
            raise NoValue(f"{self.source} has no value to act on ({self.kind}): {self.reason}")
        return self.value

    def map(self, change: Callable[[T], U]) -> Outcome[U]:
        """Return the same outcome with ``change`` applied to the value, if there is one."""
        if self.value is None:
            return Outcome(self.kind, self.source, None, self.reason, self.as_of_ns)
        return Outcome(self.kind, self.source, change(self.value), self.reason, self.as_of_ns)


def value_of(value: T, *, source: str, as_of_ns: int | None = None) -> Outcome[T]:
    """Return an outcome that holds ``value``."""
    return Outcome(Kind.VALUE, source, value, "", as_of_ns)


def nothing(kind: Kind, *, source: str, reason: str, as_of_ns: int | None = None) -> Outcome[T]:
    """Return an outcome without a value. ``reason`` is one sentence for a person."""
    return Outcome(kind, source, None, reason, as_of_ns)
