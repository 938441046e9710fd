"""Reddit's API as its own clients use it: a token, listings, comment trees with "more".

In: requests on Reddit's paths and the crowd.  Out: ``Listing`` and ``Thing`` JSON.
Refuses a request without a bearer token (401) and what is not there (404), in Reddit's words.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.door import Ask, Reply
from tapeline.sim.limits import Verdict
from tapeline.sim.talk import BOARDS, HOUR_NS, MAX_COMMENTS, Comment, Crowd, Post
from tapeline.sim.wire import WireError

LISTINGS = ("hot", "new", "rising", "top")
MAX_LIMIT = 100
COMMENT_LIMIT = 200
TOKEN_S = 86_400
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class RedditApi:
    """The answers of both of Reddit's hosts."""

    crowd: Crowd

    def token(self, ask: Ask) -> Reply:
        """Answer ``POST /api/v1/access_token``; any client may have one."""
        given = ask.headers.get("authorization", "")
        if not given.startswith("Basic "):
            raise WireError(401, "Unauthorized")
        if _form(ask.body).get("grant_type") != "client_credentials":
            return Reply({"error": "unsupported_grant_type"})
        token = hashlib.blake2b(given.encode(), digest_size=20).hexdigest()
        return Reply({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_S, "scope": "*"})

    def listing(self, ask: Ask) -> Reply:
        """Answer ``/r/{board}/{listing}``."""
        board = _board(ask)
        order = ask.path["listing"]
        if order not in LISTINGS:
            raise WireError(404, "Not Found")
        posts = self.crowd.posts(board, ask.now_ns)
        found = _ordered([post for post in posts if not post.symbol or not ask.loses(post.symbol)], order, ask.now_ns)
        limit = _number(ask.params, "limit", 25, MAX_LIMIT)
        names = [_fullname(post) for post in found]
        after = ask.params.get("after")
        start = names.index(after) + 1 if after in names else 0
        page = found[start : start + limit]
        more = names[start + limit - 1] if page and start + limit < len(found) else None
        things = [{"kind": "t3", "data": self._post(post, ask.now_ns)} for post in page]
        return Reply(_listing(things, after=more), Label.SIMULATED)

    def about(self, ask: Ask) -> Reply:
        """Answer ``/r/{board}/about``."""
        board = _board(ask)
        data = {
            "id": _board_id(board),
            "name": f"t5_{_board_id(board)}",
            "display_name": board,
            "display_name_prefixed": f"r/{board}",
            "title": board,
            "public_description": "simulated",
            "subscribers": 100_000 * (len(BOARDS) - BOARDS.index(board)),
            "over18": False,
            "url": f"/r/{board}/",
        }
        return Reply({"kind": "t5", "data": data}, Label.SIMULATED)

    def comments(self, ask: Ask) -> Reply:
        """Answer ``/comments/{id}``: the post, and its tree of comments as far as ``limit`` and ``depth`` go."""
        _check_token(ask)
        post = self._find(ask.path["id"], ask.now_ns)
        if "board" in ask.path and ask.path["board"].lower() != post.board:
            raise WireError(404, "Not Found")
        limit = _number(ask.params, "limit", COMMENT_LIMIT, 500)
        depth = _number(ask.params, "depth", 10, 10)
        tree = _Tree(post, self.crowd.comments(post, ask.now_ns), ask.now_ns, ask.params.get("sort", "confidence"))
        head = _listing([{"kind": "t3", "data": self._post(post, ask.now_ns)}])
        return Reply([head, _listing(tree.grow(limit, depth))], Label.SIMULATED)

    def more_children(self, ask: Ask) -> Reply:
        """Answer ``/api/morechildren``: the wanted comments and all below them, in a flat list."""
        _check_token(ask)
        params = {**ask.params, **_form(ask.body)}
        post = self._find(params.get("link_id", "").removeprefix("t3_"), ask.now_ns)
        tree = _Tree(post, self.crowd.comments(post, ask.now_ns), ask.now_ns, params.get("sort", "confidence"))
        wanted = [part.strip() for part in params.get("children", "").split(",")][:MAX_COMMENTS]
        return Reply({"json": {"errors": [], "data": {"things": tree.flat(wanted)}}}, Label.SIMULATED)

    def _find(self, text: str, now_ns: int) -> Post:
        try:
            post = self.crowd.post(int(text, 36), now_ns) if len(text) <= 12 else None
        except ValueError:
            post = None
        if post is None:
            raise WireError(404, "Not Found")
        return post

    def _post(self, post: Post, now_ns: int) -> dict[str, Any]:
        name = to_base36(post.number)
        score = post.score(now_ns)
        link = f"/r/{post.board}/comments/{name}/{_slug(post.title)}/"
        return {
            "id": name,
            "name": _fullname(post),
            "title": post.title,
            "selftext": post.body,
            "author": post.author,
            "subreddit": post.board,
            "subreddit_id": f"t5_{_board_id(post.board)}",
            "subreddit_name_prefixed": f"r/{post.board}",
            "score": score,
            "ups": score,
            "downs": 0,
            "upvote_ratio": round(0.6 + 0.39 * post.heat, 2),
            "num_comments": len(self.crowd.comments(post, now_ns)),
            "created": float(post.event_ns // NS_PER_S),
            "created_utc": float(post.event_ns // NS_PER_S),
            "permalink": link,
            "url": f"https://www.reddit.com{link}",
            "domain": f"self.{post.board}",
            "is_self": True,
            "stickied": post.is_daily,
            "distinguished": "moderator" if post.is_daily else None,
            "link_flair_text": "Daily Discussion" if post.is_daily else "Discussion",
            "locked": False,
            "over_18": False,
            "edited": False,
        }


class _Tree:
    """The comments of one post, as a tree of Reddit's things."""

    def __init__(self, post: Post, comments: list[Comment], now_ns: int, sort: str) -> None:
        self._post = post
        self._now_ns = now_ns
        self._below: dict[int, list[Comment]] = defaultdict(list)
        for comment in comments:
            self._below[comment.parent].append(comment)
        for below in self._below.values():
            if sort in ("new", "old"):
                below.sort(key=lambda comment: comment.event_ns, reverse=sort == "new")
            else:
                below.sort(key=lambda comment: (-comment.score(now_ns), comment.number))
        self._left = 0

    def grow(self, limit: int, depth: int) -> list[dict[str, Any]]:
        """Return the tree with at most ``limit`` comments on ``depth`` levels; what is cut hangs in "more" things."""
        self._left = limit
        return self._level(-1, 0, depth)

    def flat(self, names: list[str]) -> list[dict[str, Any]]:
        """Return the named comments and all below them, each without replies of its own."""
        known = {self._name(comment): comment for below in self._below.values() for comment in below}
        found = []
        waiting = [known[name] for name in names if name in known]
        while waiting:
            comment = waiting.pop(0)
            found.append({"kind": "t1", "data": self._data(comment, "")})
            waiting = [*self._below.get(comment.number, []), *waiting]
        return found

    def _level(self, parent: int, level: int, depth: int) -> list[dict[str, Any]]:
        things: list[dict[str, Any]] = []
        below = self._below.get(parent, [])
        for position, comment in enumerate(below):
            if self._left == 0 or level >= depth:
                things.append(self._more(below[position:], parent, level))
                break
            self._left -= 1
            replies = self._level(comment.number, level + 1, depth)
            things.append({"kind": "t1", "data": self._data(comment, _listing(replies) if replies else "")})
        return things

    def _more(self, hidden: list[Comment], parent: int, level: int) -> dict[str, Any]:
        names = [self._name(comment) for comment in hidden]
        count = len(self.flat(names))
        head = {"id": names[0], "name": f"t1_{names[0]}", "parent_id": self._parent(parent), "depth": level}
        return {"kind": "more", "data": {**head, "count": count, "children": names}}

    def _data(self, comment: Comment, replies: object) -> dict[str, Any]:
        name = self._name(comment)
        score = comment.score(self._now_ns)
        return {
            "id": name,
            "name": f"t1_{name}",
            "parent_id": self._parent(comment.parent),
            "link_id": _fullname(self._post),
            "author": comment.author,
            "body": comment.body,
            "score": score,
            "ups": score,
            "downs": 0,
            "created": float(comment.event_ns // NS_PER_S),
            "created_utc": float(comment.event_ns // NS_PER_S),
            "subreddit": self._post.board,
            "subreddit_id": f"t5_{_board_id(self._post.board)}",
            "permalink": f"/r/{self._post.board}/comments/{to_base36(self._post.number)}/_/{name}/",
            "depth": comment.depth,
            "stickied": False,
            "distinguished": None,
            "edited": False,
            "replies": replies,
        }

    def _name(self, comment: Comment) -> str:
        return to_base36(self._post.number * MAX_COMMENTS + comment.number)

    def _parent(self, number: int) -> str:
        if number < 0:
            return _fullname(self._post)
        return f"t1_{to_base36(self._post.number * MAX_COMMENTS + number)}"


def refusal(error: WireError) -> object:
    """Return an error as Reddit spells it."""
    message = "Too Many Requests" if error.status == 429 else error.message
    return {"message": message, "error": error.status}


def limit_headers(verdict: Verdict, now_s: int) -> dict[str, str]:
    """Return what Reddit tells of its limit; the reset is in seconds from now."""
    return {
        "x-ratelimit-used": str(verdict.limit - verdict.remaining),
        "x-ratelimit-remaining": f"{verdict.remaining:.1f}",
        "x-ratelimit-reset": str(max(1, verdict.reset_s - now_s)),
    }


def to_base36(number: int) -> str:
    """Return a number as Reddit writes its ids."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def _ordered(posts: list[Post], order: str, now_ns: int) -> list[Post]:
    if order == "new":
        return posts[::-1]
    if order == "top":
        return sorted(posts, key=lambda post: (-post.score(now_ns), post.number))
    if order == "rising":
        young = [post for post in posts if now_ns - post.event_ns < 3 * HOUR_NS and not post.is_daily]
        return sorted(young, key=lambda post: (-post.score(now_ns) / (now_ns - post.event_ns + HOUR_NS), post.number))
    heat = {post.number: math.log10(post.score(now_ns)) + post.event_ns / NS_PER_S / 45_000 for post in posts}
    return sorted(posts, key=lambda post: (not post.is_daily, -heat[post.number], post.number))


def _check_token(ask: Ask) -> None:
    kind, _, token = ask.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise WireError(401, "Unauthorized")


def _board(ask: Ask) -> str:
    _check_token(ask)
    board = ask.path["board"].lower()
    if board not in BOARDS:
        raise WireError(404, "Not Found")
    return board


def _number(params: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = params.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and int(text) > 0 else default


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _listing(things: list[dict[str, Any]], after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"after": after, "before": None, "dist": len(things), "children": things}}


def _fullname(post: Post) -> str:
    return f"t3_{to_base36(post.number)}"


def _board_id(board: str) -> str:
    return f"2{to_base36(1_000 + BOARDS.index(board))}"


def _slug(title: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in title.lower()).split())[:50]
