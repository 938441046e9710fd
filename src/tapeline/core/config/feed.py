"""How vendors are asked: ``[feed]`` and one section for each vendor."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from tapeline.core.config.base import Count, NotNegative, Positive, Section


class AlpacaConfig(Section, frozen=True):
    """Alpaca's market data. Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY."""

    base_url: str = "https://data.alpaca.markets"
    trading_url: str = "https://paper-api.alpaca.markets"
    """Serves assets, clock and calendar. Only a paper account is ever accepted. Left as it is while base_url names
    another server, that server is asked for these, too."""
    stream_url: str = "wss://stream.data.alpaca.markets"
    """Serves the stream of bars. Left as it is while base_url names another server, that server is listened to."""
    feed: Literal["iex", "sip"] = "iex"
    """Free keys have iex in real time; sip needs a subscription. Never mixed inside a series."""
    adjustment: Literal["raw", "split", "all"] = "raw"
    """Raw: what traded. Splits are applied from the corporate actions, explicitly."""


class MassiveConfig(Section, frozen=True):
    """Massive's aggregates, one ticker a request. The key comes from MASSIVE_API_KEY."""

    base_url: str = "https://api.massive.com"
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 5
    """Of the free plan; paid ones have no limit worth the name."""


class NewsConfig(Section, frozen=True):
    """Google News by RSS."""

    base_url: str = "https://news.google.com"
    max_age_s: Positive = 86_400.0
    """Older headlines are stale and have no vote."""


class RedditConfig(Section, frozen=True):
    """Reddit's API. Keys come from REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET."""

    base_url: str = "https://oauth.reddit.com"
    token_url: str = "https://www.reddit.com"
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 90
    """Of the 100 of a registered application."""
    subreddits: tuple[str, ...] = ("wallstreetbets", "stocks")
    posts: Annotated[int, Meta(ge=1, le=100)] = 25
    """Posts read of each subreddit's listing."""
    threads: Count = 3
    """Posts of each subreddit whose comments are read."""
    comments: Annotated[int, Meta(ge=1, le=500)] = 50
    """Comments read of one post."""
    user_agent: str = "tapeline (set feed.reddit.user_agent to your application and name)"


class YouTubeConfig(Section, frozen=True):
    """YouTube's Data API and transcripts. The key comes from YOUTUBE_API_KEY."""

    base_url: str = "https://www.googleapis.com"
    watch_url: str = "https://www.youtube.com"
    """Where transcripts are."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 60
    videos: Annotated[int, Meta(ge=1, le=50)] = 3
    """Videos of one search whose transcripts are read."""
    max_age_s: Positive = 86_400.0
    """Older videos are not read."""
    queries: tuple[str, ...] = ("stock market today", "stocks to watch")
    """Searches of the discovery; a search costs 100 of the 10,000 units that a key has in a day."""
    trusted_channels: tuple[str, ...] = (
        "Benzinga",
        "Bloomberg Television",
        "CNBC Television",
        "Investor's Business Daily",
        "Yahoo Finance",
    )
    """Channels with an editor; what is said there counts half as much again."""
    languages: tuple[str, ...] = ("en", "en-US", "en-GB")
    """Of transcripts, the first that there is."""


class YahooConfig(Section, frozen=True):
    """Yahoo's company data: fundamentals, statements, analysts, insiders, earnings dates. It needs no key."""

    base_url: str = "https://query2.finance.yahoo.com"
    cookie_url: str = "https://fc.yahoo.com"
    """Gives the cookie that the crumb, and so every answer, hangs on."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 120
    """A polite ceiling for a public page."""


class EdgarConfig(Section, frozen=True):
    """The SEC's filings. Its rules want a name and an address in the user agent, and at most 10 requests a second."""

    base_url: str = "https://data.sec.gov"
    files_url: str = "https://www.sec.gov"
    """Where the list of companies is."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=600)] = 300
    user_agent: str = "tapeline (set feed.edgar.user_agent to your name and address)"


class FeedConfig(Section, frozen=True):
    """How we ask vendors. Read by ``feed``."""

    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 180
    """Ceiling in any sliding 60 s; 90 % of the 200 of a free Alpaca key."""
    news_requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """A polite ceiling for a public RSS feed."""
    sources: tuple[Literal["alpaca", "massive", "yahoo"], ...] = ("alpaca",)
    """Who is asked for bars, best first; the next one steps in while the one before does not answer, under its own
    name."""
    strategy: Literal["sequential", "concurrent", "batch", "hybrid"] = "hybrid"
    """sequential: one symbol after the other; concurrent: several at a time; batch: one batch after the other; hybrid:
    several batches at a time."""
    mode: Literal["bars", "latest", "snapshots"] = "bars"
    """What a cycle asks for: every bar since the last one; the newest bar; the newest bar, trade and quote. Minutes
    that were missed are asked for as bars in every mode."""
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 400
    """Symbols in one request; bounded by the length of its URL."""
    max_concurrent_batches: Annotated[int, Meta(ge=1, le=64)] = 4
    cycle_s: Positive = 60.0
    """Seconds between polls."""
    publish_delay_s: NotNegative = 1.5
    """Bars appear about a second after their minute; asking earlier gets the minute before."""
    max_catch_up_min: Count = 30
    """At most this many missed minutes are fetched in one poll; the rest in the next."""
    reread_s: NotNegative = 30.0
    """After the end of a minute, when it is read once more for trades that were reported late; 0 for never."""
    extended_hours: bool = False
    """Poll from 04:00 to 20:00 New York, too, not only the session."""
    stream: bool = True
    """Listen to Alpaca's stream, too, for the symbols of the watchlist: their bars come earlier, and the polls correct
    them. Without a watchlist there is nobody to listen to. Read by a node; a replay has replay.stream."""
    quarantine_s: Positive = 3_600.0
    """How long a symbol that the vendor refuses is left out before it is tried again."""
    alert_cycle_s: Positive = 30.0
    """A cycle that takes longer is reported."""
    connect_timeout_s: Positive = 5.0
    read_timeout_s: Positive = 10.0
    retries: Annotated[int, Meta(ge=0, le=10)] = 3
    """Further tries of a read that failed; each is charged to the limiter."""
    retry_base_s: Positive = 0.5
    max_response_mb: Positive = 32.0
    breaker_failures: Count = 5
    """Failures in a row that open a host's breaker."""
    breaker_open_s: Positive = 60.0
    alpaca: AlpacaConfig = field(default_factory=AlpacaConfig)
    massive: MassiveConfig = field(default_factory=MassiveConfig)
    news: NewsConfig = field(default_factory=NewsConfig)
    reddit: RedditConfig = field(default_factory=RedditConfig)
    youtube: YouTubeConfig = field(default_factory=YouTubeConfig)
    yahoo: YahooConfig = field(default_factory=YahooConfig)
    edgar: EdgarConfig = field(default_factory=EdgarConfig)
