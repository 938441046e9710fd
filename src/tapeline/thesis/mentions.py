"""Which symbols a text names.

In: text as it was written, and the universe.  Out: symbols with how often each is named.
Refuses what only looks like a symbol: ordinary words in capitals, text that shouts, letters of other alphabets that
look like ours, and anything that is not in the universe. ``$`` before a symbol is always meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_TEXT = 20_000
"""Characters read of one text."""
MAX_CAPITALS = 0.6
"""Share of capitals among the letters from which a text shouts, and its capitals mean nothing."""
MIN_LETTERS = 8
"""Letters besides the symbols; fewer cannot be said to shout: a title may be nothing but symbols."""

_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z]{1,5}(?:[.-][A-Za-z])?)(?![\w$])")
_WORD = re.compile(r"(?<![\w$.'’&@#-])([A-Z]{2,5}(?:[.-][A-Z](?![\w]))?)(?![\w$&@]|['’-][A-Z0-9])")

_WORDS = """
    AH AI ALL AM AMA AN AND ANY API APR ARE AS ASK AT ATH ATL ATM ATR AUG AUM BABY BAD BAG BE BEAR BEAT BEN BEST
    BIG BIT BOOM BRO BULL BUT BUY BY CAGR CALL CAN CAP CAR CASH CAT CDO CEO CFO CFTC CIO CME COM COO COST CPA
    CPI CTO CUT DATA DAY DCA DCF DD DE DEC DF DID DIV DIY DJIA DO DOG DOJ DOW DOWN DTE DV EASY EAT EBIT ECB EDIT
    EL ELSE EMA EOD EOM EOW EPS ESG EST ET ETA ETF ETFS ETN EU EUR EV EVER FAQ FAST FAT FBI FCF FD FDA FEB FED
    FIFO FOMC FOMO FOR FREE FRI FROM FTC FUD FUN FX FY FYI GAAP GAIN GAP GAS GBP GDP GET GMT GO GOLD GOOD GREEN
    GUH GUT HAD HAS HE HER HERE HFT HIGH HIS HIT HODL HOLD HOME HOPE HOT HOW HTTP HTTPS HUGE ICE ICYMI IDK IF II
    III IIRC IMF IMO IN INC IP IPO IQ IRA IRS IS IT ITM ITS IV JAN JAVA JOB JPY JUL JUN JUST KEY KIDS KYC LAST
    LBO LEAPS LEG LEI LIFE LIKE LIVE LLC LMAO LO LOL LONG LOSS LOT LOVE LOW LTD MA MACD MAN MAR MAY MBA ME MEN
    MET MI MOASS MOM MON MOON MORE MOST MSRP MUST MY NAV NEED NEW NEXT NFA NFP NICE NO NOT NOV NOW NY NYC NYSE
    OCT OEM OF OFF OG OI OLD OMG ON ONE ONLY OP OPEC OPEN OR OTC OTM OUR OUT OVER PAY PCE PDF PDT PE PEG PEN
    PLAY PLUS PM PMI PNL POS POST PPI PR PSA PT PUT QE QOQ QQQ RE REAL RED REIT RH RIDE ROE ROI ROTH RSI RUN
    RUNS SAFE SAID SAT SAVE SAY SE SEC SEE SELL SEP SHE SHIT SHOP SHORT SIX SMA SO SOME SP SPAC SPX SPY STAY
    STOP SUN TA TALK TAP TBH TE TEAM TECH TELL TEN THE THEM THEN THEY THIS THU TIE TIL TIME TL TLDR TO TOO TOP
    TOS TOUR TRUE TUE TV TWO UK UP URL US USA USD USE VAR VC VERY VI VII VIX VWAP WAG WAS WAT WE WED WELL WENT
    WERE WHAT WHEN WHO WHY WILL WIN WITH WORK WOW WSB WTF WWW YES YET YOLO YOU YOUR YOY YTD ZERO
"""
ORDINARY = frozenset(_WORDS.split())
"""Bare, these are words that people write in capitals, what traders abbreviate, months and days, though many are or
were symbols. With ``$`` they are symbols."""


class Mentions:
    """Finds the symbols of one universe.

    Parameters
    ----------
    universe
        The symbols that count; a class of shares is written with a dot: ``BRK.B``.
    """

    def __init__(self, universe: Collection[str]) -> None:
        self._universe = frozenset(universe)

    def find(self, text: str) -> dict[str, int]:
        """Return how often each symbol of the universe is named, in alphabetical order."""
        # Wide and styled forms of our letters become our letters; look-alikes of other alphabets stay what they are.
        text = unicodedata.normalize("NFKC", text[:MAX_TEXT])
        named = [tag.upper() for tag in _CASHTAG.findall(text)]
        words = [word for word in _WORD.findall(text) if word not in ORDINARY and _spelled(word) in self._universe]
        if not _shouts(text, words):
            named += words
        symbols = sorted(symbol for name in named if (symbol := _spelled(name)) in self._universe)
        return {symbol: symbols.count(symbol) for symbol in dict.fromkeys(symbols)}


def _spelled(name: str) -> str:
    return name.replace("-", ".")


def _shouts(text: str, symbols: Collection[str]) -> bool:
    """Return whether a text is in capitals also where it does not name symbols."""
    letters = [c for c in text if c.isalpha()]
    named = sum(len(symbol) for symbol in symbols)
    capitals, others = sum(c.isupper() for c in letters) - named, len(letters) - named
    return others >= MIN_LETTERS and capitals > MAX_CAPITALS * others
