"""Say, before the tests, whether those that need a browser will run."""

from __future__ import annotations

from pathlib import Path

found = Path("/usr/bin/chromium").is_file()
print(
    "browser tests: run with /usr/bin/chromium" if found else "browser tests: skipped, /usr/bin/chromium is not there"
)
