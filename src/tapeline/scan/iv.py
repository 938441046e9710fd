"""What the implied volatility of an underlying was before. No vendor of ours tells it: it is remembered, look by look.

In: an underlying, a day, its level at the money.  Out: the share of remembered days that were calmer, in percent.
Refuses a percentile of fewer than ``MIN_DAYS`` days, and to let the file grow: a year back, a number of symbols.
"""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import msgspec

from tapeline.core.errors import BadInput, DataError

MIN_DAYS = 20
YEAR = dt.timedelta(days=365)
MAX_SYMBOLS = 10_000

Days = dict[str, dict[str, float]]
"""Symbol -> ISO day -> implied volatility per year as a fraction."""


class IvMemory:
    """Levels of implied volatility by symbol and day.

    Parameters
    ----------
    path
        JSON file to read and keep them in; None for memory alone.

    Raises
    ------
    DataError
        When the file holds something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._days: Days = {}
        if path is not None and path.exists():
            try:
                self._days = msgspec.json.decode(path.read_bytes(), type=Days)
            except (OSError, msgspec.DecodeError) as error:
                raise DataError(f"{path} holds no implied volatilities ({error}): remove it") from None

    def note(self, symbol: str, day: dt.date, level: float) -> None:
        """Remember the level of a day; the last one told of a day stands. NaN is nothing to remember."""
        if math.isnan(level) or (symbol not in self._days and len(self._days) >= MAX_SYMBOLS):
            return
        oldest = (day - YEAR).isoformat()
        kept = {past: value for past, value in self._days.get(symbol, {}).items() if past > oldest}
        self._days[symbol] = {**kept, day.isoformat(): level}

    def percentile(self, symbol: str, day: dt.date, level: float) -> tuple[float, str]:
        """Return the share of the year's days before ``day`` that were calmer, 0 to 100, and "" or why it is NaN."""
        span = ((day - YEAR).isoformat(), day.isoformat())
        past = [value for moment, value in self._days.get(symbol, {}).items() if span[0] < moment < span[1]]
        if math.isnan(level):
            return math.nan, "no contract near the money tells a volatility"
        if len(past) < MIN_DAYS:
            return math.nan, f"{len(past)} days of it are remembered, {MIN_DAYS} are needed"
        return 100.0 * sum(value < level for value in past) / len(past), ""

    def keep(self) -> None:
        """Write the file, if there is one."""
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(self._days, order="sorted"))
            part.replace(self._path)
        except OSError as error:
            raise BadInput(f"implied volatilities cannot be kept in {self._path}: {error.strerror}") from None
