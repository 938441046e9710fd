"""Reddit: what people post and answer, by its OAuth API.

In: a subreddit, a post.  Out: outcomes of ``RedditPost``s and ``RedditComment``s.
Refuses more than is bounded: posts of a listing, comments of a tree however deep. Texts are from the world: cleaned of
what cannot be seen, cut, and never an instruction; their case is kept, because it carries meaning.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from tapeline.core.clock import Clock
from tapeline.core.config.feed import FeedConfig, RedditConfig
from tapeline.core.config.secrets import RedditKeys
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import NS_PER_S, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.vendors.badge import UNAUTHORISED, Badge, Lent, Refusal, unless_refused
from tapeline.feed.vendors.google_news import clean_text

T = TypeVar("T")

REDDIT_HOST = "reddit"
TOKEN_HOST = "reddit.token"
MAX_TITLE = 300
MAX_BODY = 4_000
TTL_S = 60.0
"""How long one answer serves everyone who asks the same."""
MAX_COMMENTS = 500
"""Comments read of one answer, whatever it holds."""
_RENEW_EARLY_S = 60.0
_LATEST_S = 4e9
_GONE = frozenset({"", "[deleted]", "[removed]"})
_ROUTINE_TITLES = ("daily", "discussion thread", "moves tomorrow", "what are your moves", "weekend discussion")

Listing = Literal["hot", "new", "rising"]
_PostId = Annotated[str, Meta(pattern="^[a-z0-9]{1,16}$")]
"""It becomes a part of a path."""


@dataclass(frozen=True, slots=True)
class RedditPost:
    """A post that opens a thread. ``is_routine``: a stickied or daily thread, where everybody's favourites stand."""

    post_id: str
    subreddit: str
    event_ns: int
    title: str
    body: str
    author: str
    score: int
    n_comments: int
    is_routine: bool
    url: str
    label: Label


@dataclass(frozen=True, slots=True)
class RedditComment:
    """A comment anywhere in a thread. ``author`` is empty when it was deleted."""

    comment_id: str
    post_id: str
    event_ns: int
    body: str
    author: str
    score: int
    label: Label


class _Thing(Struct, frozen=True):
    """{"kind":"t3","data":{...}}"""

    kind: str
    data: Raw


class _Children(Struct, frozen=True):
    """{"after":null,"children":[...]}"""

    children: list[_Thing]


class _Listing(Struct, frozen=True):
    """{"kind":"Listing","data":{...}}"""

    data: _Children


class _Post(Struct, frozen=True):
    """The data of a t3."""

    id: _PostId
    title: str
    created_utc: float
    subreddit: str = ""
    selftext: str = ""
    author: str | None = None
    score: int = 0
    num_comments: int = 0
    stickied: bool = False
    permalink: str = ""


class _Id(Struct, frozen=True):
    """Of a t3."""

    id: _PostId


class _Comment(Struct, frozen=True):
    """The data of a t1; ``replies`` is a listing, or an empty string."""

    id: str
    created_utc: float
    body: str = ""
    author: str | None = None
    score: int = 0
    replies: Raw = Raw(b'""')


class _Token(Struct, frozen=True):
    """{"access_token":"...","token_type":"bearer","expires_in":86400,"scope":"*"}"""

    access_token: str
    expires_in: float


def reddit_hosts(config: FeedConfig, keys: RedditKeys, clock: Clock) -> tuple[Host, Host]:
    """Return Reddit's API and the host that lends its tokens; they count as one."""
    limiter = SlidingWindowLimiter(config.reddit.requests_per_minute, clock=clock)
    pair = f"{keys.client_id}:{keys.client_secret}".encode()
    secrets = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    api = Host(REDDIT_HOST, config.reddit.base_url, limiter)
    return api, Host(TOKEN_HOST, config.reddit.token_url, limiter, secrets)


class Reddit:
    """Posts and comments over the gateway.

    Parameters
    ----------
    gateway
        With the hosts of ``reddit_hosts``.
    config
        Bounds and the name we go by.
    clock
        Tells when a token has run out.
    """

    name = "reddit"

    def __init__(self, gateway: Gateway, config: RedditConfig, *, clock: Clock) -> None:
        self._gateway = gateway
        self._config = config
        self._badge = Badge(self._obtain_token, clock=clock)

    async def fetch_posts(
        self, subreddit: str, listing: Listing = "hot", *, deadline_ns: int | None = None
    ) -> Outcome[tuple[RedditPost, ...]]:
        """Fetch the first ``reddit.posts`` posts of a listing, in its order; no_data when it is empty."""
        params: dict[str, str | int] = {"limit": self._config.posts, "raw_json": 1}
        posts = await self._read(f"/r/{subreddit}/{listing}", params, _POSTS, deadline_ns)
        return _unless_empty(posts.map(partial(_first, self._config.posts)), f"r/{subreddit} has no {listing} posts")

    async def fetch_comments(
        self, post_id: str, *, deadline_ns: int | None = None
    ) -> Outcome[tuple[RedditComment, ...]]:
        """Fetch at most ``reddit.comments`` comments of a post, level by level; no_data when there are none."""
        params: dict[str, str | int] = {"limit": self._config.comments, "raw_json": 1}
        comments = await self._read(f"/comments/{post_id}", params, _COMMENTS, deadline_ns)
        return _unless_empty(comments.map(partial(_first, self._config.comments)), f"post {post_id} has no comments")

    async def _read(
        self,
        path: str,
        params: dict[str, str | int],
        parse: Callable[[Response], tuple[T, ...] | Refusal],
        deadline_ns: int | None,
    ) -> Outcome[tuple[T, ...]]:
        async def ask(token: str) -> Outcome[tuple[T, ...] | Refusal]:
            return await self._gateway.fetch(
                REDDIT_HOST,
                path,
                params,
                parse=parse,
                headers={"authorization": f"bearer {token}", "user-agent": self._config.user_agent},
                ttl_s=TTL_S,
                deadline_ns=deadline_ns,
                accept=frozenset({UNAUTHORISED}),
            )

        return await self._badge.use(ask)

    async def _obtain_token(self) -> Outcome[Lent[str]]:
        return await self._gateway.fetch(
            TOKEN_HOST,
            "/api/v1/access_token",
            parse=_parse_token,
            method="POST",
            form={"grant_type": "client_credentials"},
            headers={"user-agent": self._config.user_agent},
            safe=True,
        )


def _first(count: int, items: tuple[T, ...]) -> tuple[T, ...]:
    return items[:count]


def _unless_empty(outcome: Outcome[tuple[T, ...]], reason: str) -> Outcome[tuple[T, ...]]:
    if outcome.value == ():
        return nothing(Kind.NO_DATA, source=outcome.source, reason=reason, as_of_ns=outcome.as_of_ns)
    return outcome


def parse_posts(response: Response) -> tuple[RedditPost, ...]:
    """Return the posts of a listing, in its order. Raises BadMessage when it is none."""
    posts = [_inner(thing.data, _Post) for thing in decode(response, _Listing).data.children if thing.kind == "t3"]
    return tuple(_post(post, response.label) for post in posts)


def parse_comments(response: Response) -> tuple[RedditComment, ...]:
    """Return the comments of a thread, level by level, the words of each cleaned.

    At most ``MAX_COMMENTS`` are read, deleted ones not at all; "more" entries are passed over. Raises BadMessage when
    the answer is no pair of listings.
    """
    listings = decode(response, list[_Listing])
    if len(listings) != 2:
        raise BadMessage(f"a thread is a pair of listings, not {len(listings)}")
    post_id = next((_inner(t.data, _Id).id for t in listings[0].data.children if t.kind == "t3"), "")
    waiting = deque(listings[1].data.children)
    found: list[RedditComment] = []
    while waiting and len(found) < MAX_COMMENTS:
        thing = waiting.popleft()
        if thing.kind != "t1":
            continue
        comment = _inner(thing.data, _Comment)
        replies = bytes(comment.replies)
        if replies[:1] == b"{":
            waiting.extend(_inner(comment.replies, _Listing).data.children)
        if comment.body not in _GONE:
            found.append(_comment(comment, post_id, response.label))
    return tuple(found)


def _parse_token(response: Response) -> Lent[str]:
    token = decode(response, _Token)
    if not token.access_token.isascii() or not token.access_token.isprintable():
        raise BadMessage("its token cannot be put into a header")
    return Lent(token.access_token, max(1.0, token.expires_in - _RENEW_EARLY_S))


_POSTS = unless_refused(parse_posts)
_COMMENTS = unless_refused(parse_comments)


def _inner(raw: Raw, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadMessage(str(error)[:200]) from None
    except RecursionError:
        raise BadMessage("its JSON is nested without end") from None


def _post(post: _Post, label: Label) -> RedditPost:
    title = clean_text(post.title, MAX_TITLE)
    is_routine = post.stickied or any(words in title.casefold() for words in _ROUTINE_TITLES)
    return RedditPost(
        post_id=post.id,
        subreddit=post.subreddit,
        event_ns=_ns(post.created_utc),
        title=title,
        body="" if post.selftext in _GONE else clean_text(post.selftext, MAX_BODY),
        author=_author(post.author),
        score=post.score,
        n_comments=post.num_comments,
        is_routine=is_routine,
        url=f"https://www.reddit.com{post.permalink}" if post.permalink.startswith("/") else "",
        label=label,
    )


def _comment(comment: _Comment, post_id: str, label: Label) -> RedditComment:
    return RedditComment(
        comment_id=comment.id,
        post_id=post_id,
        event_ns=_ns(comment.created_utc),
        body=clean_text(comment.body, MAX_BODY),
        author=_author(comment.author),
        score=comment.score,
        label=label,
    )


def _author(name: str | None) -> str:
    return "" if name is None or name in _GONE else clean_text(name, 50)


def _ns(seconds: float) -> int:
    if not 0.0 <= seconds < _LATEST_S:
        raise BadMessage(f"{seconds!r} is no moment")
    return round(seconds) * NS_PER_S
