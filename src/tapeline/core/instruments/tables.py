"""What no grammar can derive: known currencies, futures products, option roots, index names.

Data only. A name that is missing here is refused with a reason, never guessed; an instruments file can supply it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

MONTH_CODES = "FGHJKMNQUVXZ"
"""Futures months, January to December."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- pairs ------------------------------------------------------------------------------------------------------------

FIAT = _words(
    "USD EUR GBP JPY CHF CAD AUD NZD INR CNH CNY HKD SGD KRW TWD THB MYR IDR PHP VND SEK NOK DKK PLN CZK HUF RON"
    " TRY ILS ZAR MXN BRL CLP COP PEN ARS AED SAR XAU XAG XPT XPD"
)
"""Currencies that trade as FX; the metals trade and settle like them."""

CRYPTO = _words(
    "BTC ETH SOL XRP ADA DOGE AVAX DOT LINK LTC BCH UNI AAVE MKR SUSHI YFI BAT CRV GRT XTZ SHIB PEPE TRUMP SKY HYPE"
    " BNB TRX TON MATIC POL ATOM NEAR ALGO FIL ICP ETC XLM XMR EOS HBAR VET SAND MANA AXS COMP SNX INJ SUI APT ARB"
    " FTM IMX LDO RUNE KSM ZEC DASH PAXG WBTC USDT USDC USDG DAI TUSD BUSD RENDER FET BONK WIF ONDO JUP"
)
"""Coins and tokens that we know by name."""

# --- New York ---------------------------------------------------------------------------------------------------------

CLASS_ROOTS = {
    "BRKA": "BRK.A",
    "BRKB": "BRK.B",
    "BFA": "BF.A",
    "BFB": "BF.B",
    "HEIA": "HEI.A",
    "LENB": "LEN.B",
    "MOGA": "MOG.A",
    "LGFA": "LGF.A",
    "LGFB": "LGF.B",
    "PBRA": "PBR.A",
    "CWENA": "CWEN.A",
    "GEFB": "GEF.B",
    "RDSA": "RDS.A",
    "RDSB": "RDS.B",
}
"""Share classes whose option root (and some vendors' ticker) drops the dot."""

CLASS_ROOT_OF = {ticker: root for root, ticker in CLASS_ROOTS.items()}

INDEX_ROOTS = {
    "SPXW": "SPX",
    "SPXPM": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
    "XEO": "OEX",
    "MRUTW": "MRUT",
}
"""Option roots on an index that go by another name: weeklies, those settled at the close, the other exercise style."""

MINI_ROOTS = frozenset({"AAPL7", "AMZN7", "GLD7", "GOOG7", "SPY7"})
"""Minis on 10 shares, listed 2013-03-18 to 2014-12-17. Any other digit at the end of a root means adjusted."""

SETTLED_AT_OPEN = frozenset({"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"})
"""Option roots whose payoff is fixed by the opening prices of the day of expiry."""

US_INDICES = frozenset({"SPX", "NDX", "RUT", "VIX", "DJX", "OEX", "XSP", "MRUT", "DJI"})
"""Indices that are read without the prefix ``I:``. No stock has these tickers."""

YAHOO_INDICES = {"GSPC": "SPX", "IXIC": "COMP"} | {name: name for name in sorted(US_INDICES)}

DAILY_SINCE = {
    "SPX": dt.date(2022, 5, 11),
    "SPY": dt.date(2023, 1, 1),
    "QQQ": dt.date(2023, 1, 1),
    "XSP": dt.date(2023, 1, 1),
    "NDX": dt.date(2024, 7, 1),
    "RUT": dt.date(2024, 7, 1),
    "IWM": dt.date(2024, 7, 1),
}
"""Underlyings with an option expiry every session, and a day by which that was so (not always the first)."""

# --- futures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Product:
    """A futures contract: where it trades, and how many units of the underlying it stands for."""

    exchange: str
    multiplier: int | None
    rule: str = ""
    """``index``: settles on the opening prices of the third Friday of its month. ``VIX``: as options on VIX do. Else
    only an instruments file knows the day."""


def _products() -> dict[str, Product]:
    index = {"ES": 50, "MES": 5, "NQ": 20, "MNQ": 2, "RTY": 50, "M2K": 5, "EMD": 100}
    by_exchange: dict[str, dict[str, int | None]] = {
        "CME": {
            "6A": 100_000,
            "6B": 62_500,
            "6C": 100_000,
            "6E": 125_000,
            "6J": 12_500_000,
            "6M": 500_000,
            "6N": 100_000,
            "6S": 125_000,
            "BTC": 5,
            "ETH": 50,
            "GF": 50_000,
            "HE": 40_000,
            "LE": 40_000,
            "SR1": None,
            "SR3": None,
        },
        "CBOT": {
            "KE": 5_000,
            "TN": None,
            "UB": None,
            "ZB": None,
            "ZC": 5_000,
            "ZF": None,
            "ZL": 60_000,
            "ZM": 100,
            "ZN": None,
            "ZQ": None,
            "ZS": 5_000,
            "ZT": None,
            "ZW": 5_000,
        },
        "NYMEX": {
            "BZ": 1_000,
            "CL": 1_000,
            "HO": 42_000,
            "MCL": 100,
            "NG": 10_000,
            "PA": 100,
            "PL": 50,
            "QG": 2_500,
            "QM": 500,
            "RB": 42_000,
        },
        "COMEX": {"GC": 100, "HG": 25_000, "MGC": 10, "MHG": 2_500, "SI": 5_000, "SIL": 1_000},
    }
    known = {root: Product("CME", size, "index") for root, size in index.items()}
    known |= {"YM": Product("CBOT", 5, "index"), "MYM": Product("CBOT", None, "index")}
    known["VX"] = Product("CFE", 1_000, "VIX")
    return known | {root: Product(mic, size) for mic, row in by_exchange.items() for root, size in row.items()}


FUTURES = _products()
"""root -> product. ``multiplier`` is None where the contract is quoted in points of a face value or in halves."""

# --- India ------------------------------------------------------------------------------------------------------------

INDIA_INDICES = {
    "NIFTY": ("NSE", "NIFTY 50"),
    "BANKNIFTY": ("NSE", "NIFTY BANK"),
    "FINNIFTY": ("NSE", "NIFTY FIN SERVICE"),
    "MIDCPNIFTY": ("NSE", "NIFTY MID SELECT"),
    "NIFTYNXT50": ("NSE", "NIFTY NEXT 50"),
    "INDIAVIX": ("NSE", "INDIA VIX"),
    "SENSEX": ("BSE", "SENSEX"),
    "BANKEX": ("BSE", "BANKEX"),
    "SENSEX50": ("BSE", "SNSX50"),
}
"""Name that its derivatives carry -> (exchange, name that the index itself is quoted under)."""

INDEX_BY_SPOT_NAME = {spot: (exchange, name) for name, (exchange, spot) in INDIA_INDICES.items()}

YAHOO_INDIA = {"NSEI": "NIFTY", "NSEBANK": "BANKNIFTY", "BSESN": "SENSEX"}

BSE_NAMES = frozenset({"SENSEX", "BANKEX", "SENSEX50"})

WEEKLY_NAMES = (
    *("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX50", "SENSEX", "BANKEX"),
    *("USDINR", "EURINR", "GBPINR", "JPYINR"),
)
"""Names that have, or had, contracts named by their day. Stocks never did."""

MCX_METALS_ENERGY = _words(
    "GOLD GOLDM GOLDGUINEA GOLDPETAL GOLDTEN SILVER SILVERM SILVERMIC COPPER ZINC ZINCMINI LEAD LEADMINI ALUMINIUM"
    " ALUMINI NICKEL CRUDEOIL CRUDEOILM NATURALGAS NATGASMINI MCXBULLDEX MCXMETLDEX"
)
"""Trade until 23:30 in Bombay, or 23:55 when New York is on winter time."""

MCX_NAMES = MCX_METALS_ENERGY | _words("COTTON COTTONCNDY CARDAMOM KAPAS MENTHAOIL")

NSE_SPECIAL = _words(
    "M&M M&MFIN J&KBANK L&TFH ARE&M GMRP&UI GVT&D S&SPOWER IL&FSENGG SURANAT&P COX&KINGS BAJAJ-AUTO MCDOWELL-N"
    " NAM-INDIA HCL-INSYS"
)
"""Stocks with & or - in the name, which are read without the prefix ``NSE:``; no other market has them."""
