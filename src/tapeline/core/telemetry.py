"""One way to log. Lines go to standard error, or to a file as JSON; secrets are cut out of both.

Wall time, durations and process ids live here and nowhere else: no signal, ledger row or id holds them.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

SECRET_NAMES = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "MASSIVE_API_KEY",
    "REDDIT_CLIENT_ID",
    "REDDIT_CLIENT_SECRET",
    "TAPELINE_LLM_API_KEY",
    "YOUTUBE_API_KEY",
)
"""Variables whose values never reach a log."""


class Redact(logging.Filter):
    """Cut the values of secrets out of every record."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._secrets = sorted((environ[name] for name in SECRET_NAMES if environ.get(name)), key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is secret; let every record pass."""
        text = record.getMessage()
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        record.msg, record.args = text, ()
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, text, and the error if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure_logging(level: str = "warning", path: Path | None = None) -> None:
    """Send the process's log to ``path`` as JSON lines, or to standard error as plain lines.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
    path
        A file that lines are appended to; None for standard error.
    """
    handler: logging.Handler
    if path is not None:
        handler = logging.FileHandler(path, encoding="utf-8")
        handler.setFormatter(JsonLines())
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redact(os.environ))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
