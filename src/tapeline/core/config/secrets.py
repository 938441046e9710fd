"""Keys of vendors. They live in the environment, are handed to the adapter that needs them and appear nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_CREDENTIALS = re.compile(r"(?<=://)\S*@|(?<=[?&]password=)[^&\s]*|(?<=[?&]ssl_password=)[^&\s]*")


def without_password(address: str) -> str:
    """Return an address as it may be shown: user and passwords are starred out, written well or not."""
    return _CREDENTIALS.sub(lambda found: "***@" if found[0].endswith("@") else "***", address)


@dataclass(frozen=True, slots=True)
class AlpacaKeys:
    """A key pair. Its text form shows neither."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)


def alpaca_keys(environ: Mapping[str, str]) -> AlpacaKeys | None:
    """Return the pair from APCA_API_KEY_ID and APCA_API_SECRET_KEY, or None when either is missing."""
    key_id, secret_key = environ.get("APCA_API_KEY_ID", ""), environ.get("APCA_API_SECRET_KEY", "")
    return AlpacaKeys(key_id, secret_key) if key_id and secret_key else None


def llm_api_key(environ: Mapping[str, str]) -> str:
    """Return what TAPELINE_LLM_API_KEY holds; empty when the model's endpoint wants none."""
    return environ.get("TAPELINE_LLM_API_KEY", "")


def massive_key(environ: Mapping[str, str]) -> str:
    """Return what MASSIVE_API_KEY holds; empty when there is none."""
    return environ.get("MASSIVE_API_KEY", "")


@dataclass(frozen=True, slots=True)
class RedditKeys:
    """A registered application. Its text form shows neither."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


def reddit_keys(environ: Mapping[str, str]) -> RedditKeys | None:
    """Return the pair from REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET, or None when either is missing."""
    client_id, client_secret = environ.get("REDDIT_CLIENT_ID", ""), environ.get("REDDIT_CLIENT_SECRET", "")
    return RedditKeys(client_id, client_secret) if client_id and client_secret else None


@dataclass(frozen=True, slots=True)
class YouTubeKey:
    """A key of the Data API. Its text form does not show it."""

    key: str = field(repr=False)


def youtube_key(environ: Mapping[str, str]) -> YouTubeKey | None:
    """Return the key from YOUTUBE_API_KEY, or None when it is missing."""
    key = environ.get("YOUTUBE_API_KEY", "")
    return YouTubeKey(key) if key else None
