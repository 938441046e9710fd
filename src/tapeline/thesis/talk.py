"""Who carries talk: Reddit and YouTube, read answer by answer for the discovery.

In: adapters of the feed.  Out: ``TalkSource``s.
Refuses to wait with what it has until all is read: listings are told one by one, and before the first
thread is opened.
"""

from __future__ import annotations

from tapeline.core.config.feed import RedditConfig, YouTubeConfig
from tapeline.core.outcome import Outcome
from tapeline.feed.vendors.reddit import Reddit, RedditPost
from tapeline.feed.vendors.youtube import Video, YouTube
from tapeline.thesis.discovery import Hear, Place, Text

TRUSTED = 1.5
"""Weight of a channel with an editor."""


class RedditTalk:
    """The listings of the configured subreddits, and the comments of their busiest threads.

    Parameters
    ----------
    reddit
        Asks.
    config
        Which subreddits, and how many of their threads.
    """

    name = Reddit.name

    def __init__(self, reddit: Reddit, config: RedditConfig) -> None:
        self._reddit = reddit
        self._config = config

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        """Tell every text; return an outcome for each listing and each thread. See ``TalkSource``."""
        asked: list[Outcome[int]] = []
        threads: list[RedditPost] = []
        for subreddit in self._config.subreddits:
            listing = await self._reddit.fetch_posts(subreddit)
            asked.append(listing.map(len))
            posts = listing.value or ()
            await hear([text for post in posts for text in self._texts(post)])
            threads += sorted(posts, key=lambda post: (-post.n_comments, post.post_id))[: self._config.threads]
        for post in threads:
            comments = await self._reddit.fetch_comments(post.post_id)
            asked.append(comments.map(len))
            await hear([self._text(post, Place.COMMENT, c.body, c.event_ns, c.author) for c in comments.value or ()])
        return tuple(asked)

    def _texts(self, post: RedditPost) -> list[Text]:
        texts = [self._text(post, Place.TITLE, post.title, post.event_ns, post.author)]
        if post.body:
            texts.append(self._text(post, Place.BODY, post.body, post.event_ns, post.author))
        return texts

    def _text(self, post: RedditPost, place: Place, words: str, event_ns: int, author: str) -> Text:
        return Text(self.name, post.post_id, place, event_ns, words, author, is_routine=post.is_routine)


class YouTubeTalk:
    """The videos that the configured searches find, and what is said in them.

    Parameters
    ----------
    youtube
        Asks.
    config
        Which searches, and which channels have an editor.
    """

    name = YouTube.name

    def __init__(self, youtube: YouTube, config: YouTubeConfig) -> None:
        self._youtube = youtube
        self._config = config
        self._trusted = frozenset(channel.casefold() for channel in config.trusted_channels)

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        """Tell every text; return an outcome for each search and each transcript. See ``TalkSource``."""
        asked: list[Outcome[int]] = []
        seen: set[str] = set()
        for query in self._config.queries:
            found = await self._youtube.search(query)
            asked.append(found.map(len))
            videos = [video for video in found.value or () if video.video_id not in seen]
            seen.update(video.video_id for video in videos)
            await hear([self._text(video, Place.TITLE, video.title) for video in videos])
            for video in videos:
                transcript = await self._youtube.fetch_transcript(video.video_id)
                if transcript.value is not None:
                    await hear([self._text(video, Place.SPEECH, transcript.value.text)])
                asked.append(transcript.map(lambda _: 1))
        return tuple(asked)

    def _text(self, video: Video, place: Place, words: str) -> Text:
        weight = TRUSTED if video.channel.casefold() in self._trusted else 1.0
        return Text(self.name, video.video_id, place, video.event_ns, words, video.channel, weight)
