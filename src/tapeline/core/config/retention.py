"""How long what happened is kept, and how much of the disk it may take: ``[retention]``.

The days of ticks stand in ``[streams]``, where they are trimmed.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tapeline.core.config.base import Count, Section


class RetentionConfig(Section, frozen=True):
    """What the node keeps of the past. Read by ``store``. Orders, fills, valuations and dossiers always stay.

    A day is one on which something happened: a week in which the node was off takes none away.
    """

    journal_days: Count = 2
    """Days whose bars stay in the journal; older ones are rolled into a Parquet file for each day. Bars of a day or
    longer, and those you imported, are not rolled."""
    bar_days: Annotated[int, Meta(ge=0)] = 250
    """Days of rolled bars kept, about a year; 0 keeps them until the disk cap needs the room."""
    evidence_days: Count = 90
    """Days whose headlines, collected evidence and stages of runs stay in the journal."""
    decision_days: Count = 250
    """Days whose decisions without an order stay in the journal; those with one always stay."""
    log_mb: Annotated[float, Meta(gt=0)] = 16.0
    """A log that is longer at the session's end begins anew."""
    log_files: Annotated[int, Meta(ge=1, le=100)] = 3
    """Older logs kept of each process."""
    home_mb: Annotated[float, Meta(gt=0)] = 20_000.0
    """What the whole home may take. Beyond, old logs, recordings, caches, rolled bars and evidence go, oldest first;
    when what must stay is more than this, the node says so and deletes nothing of it."""
