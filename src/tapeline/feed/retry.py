"""When to try again, and when to leave it.

In: who asks, which try it is.  Out: seconds to wait; whether the budget allows it.
Refuses storms: retries are a bounded share of the requests. The retry libraries sleep on the event loop's clock and
jitter with a random generator; ours sleeps on the injected clock and jitters by a hash, so a replay repeats itself.
"""

from __future__ import annotations

import hashlib


class RetryBudget:
    """Tokens for further tries: each first try earns a share of one, up to a cap.

    Parameters
    ----------
    share
        Tokens that one first try earns; 0.2 allows one retry in five requests in the long run.
    cap
        Tokens at the start and at most.
    """

    def __init__(self, *, share: float = 0.2, cap: float = 20.0) -> None:
        self._share = share
        self._cap = cap
        self._tokens = cap

    def earn(self) -> None:
        """Count a first try."""
        self._tokens = min(self._cap, self._tokens + self._share)

    def spend(self) -> bool:
        """Take a token for a further try; False when none is left."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def backoff_s(base_s: float, attempt: int, *, seed: int, identity: str) -> float:
    """Return the seconds to wait before try ``attempt`` (1 is the first retry).

    Doubles with each try, times a factor in [0.5, 1.5) that follows from seed, request and try alone.
    """
    digest = hashlib.sha256(f"{seed}|{identity}|{attempt}".encode()).digest()
    fraction = int.from_bytes(digest[:8]) / 2**64
    return base_s * 2.0 ** (attempt - 1) * (0.5 + fraction)
