// Numbers and times as a person reads them. In: what the API sends. Out: text. A missing number is an em dash.

export const NONE = "—";
export const LABELS = {
  real: "Real: as the exchange's records have it.",
  repaired: "Repaired: a real row whose open or close was clipped into its range.",
  bridged: "Bridged: minutes made inside a real daily bar, so that they add up to it exactly.",
  resampled: "Resampled: made from blocks of real symbols.",
  simulated: "Simulated: made by the vendor simulator.",
};

const ZONE = "America/New_York";
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const short = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
const digits = new Map();

export const missing = (x) => typeof x !== "number" || !Number.isFinite(x);
const minus = (text) => text.replace("-", "−");
const rounds = (x, places) => Math.abs(x) * 10 ** places < 0.5; // to a zero, which has no sign

export function num(x, places = 2) {
  if (missing(x)) return NONE;
  if (!digits.has(places)) {
    digits.set(places, new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }));
  }
  return minus(digits.get(places).format(rounds(x, places) ? 0 : x));
}

/** Digits after the point, so that a small coin's price or a part of a share is not shown as nothing. */
export const fine = (x) => (x === 0 || Math.abs(x) >= 1 ? 2 : Math.abs(x) >= 0.01 ? 4 : 8);

export const count = (x) => num(x, 0);
export const qty = (x) => num(x, Number.isInteger(x) ? 0 : fine(x));
export const price = (x) => num(x, fine(x));
export const dollars = (x) => (missing(x) ? NONE : `$${price(x)}`);
export const signed = (x, places = 2) => (!missing(x) && x > 0 && !rounds(x, places) ? "+" : "") + num(x, places);
export const pct = (x, places = 2) => (missing(x) ? NONE : `${signed(x, places)}%`);
export const money = (x, places = 2) => (missing(x) ? NONE : (x < 0 && !rounds(x, places) ? "−" : "") + "$" + num(Math.abs(x), places));
export const gain = (x, places = 2) => (!missing(x) && x > 0 && !rounds(x, places) ? "+" : "") + money(x, places);

export const share = (part, whole) => (missing(part) || !whole ? NONE : `${num((100 * part) / whole, 1)}%`);

export function compact(x) {
  if (missing(x)) return NONE;
  const steps = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];
  const [unit, name] = steps.find(([size]) => Math.abs(x) >= 0.99995 * size) ?? [1, ""];
  return num(x / unit, name ? 1 : 0) + name;
}

/** A measure of a scorecard in the unit that its name ends in: [what it is called, its text]. */
export function measure(name, value) {
  if (name.endsWith("_pct")) return [words(name.slice(0, -4)), missing(value) ? NONE : `${num(value)}%`];
  if (name.endsWith("_usd")) return [words(name.slice(0, -4)), money(value, 0)];
  if (name.startsWith("days_")) return [words(name), missing(value) ? NONE : num(value, 0)];
  return [words(name), num(value)];
}

const date = (ns) => new Date(ns / 1e6);
export const time = (ns) => clock.format(date(ns));
export const minute = (ns) => short.format(date(ns));
export const dayOf = (ns) => day.format(date(ns));
/** A minute of today, and with its day one of any other. */
export const moment = (ns, now_ns) => (dayOf(ns) === dayOf(now_ns) ? minute(ns) : `${dayOf(ns)}, ${minute(ns)}`);
export const session = (iso) => (iso ? long.format(new Date(`${iso}T00:00:00Z`)) : NONE);
export const isoTime = (iso) => {
  const moment = new Date(iso);
  return Number.isNaN(moment.getTime()) ? String(iso) : clock.format(moment);
};

export function span(seconds) {
  if (missing(seconds)) return NONE;
  if (seconds < 90) return `${num(seconds, seconds < 10 && !Number.isInteger(seconds) ? 1 : 0)} s`;
  return seconds < 5400 ? `${num(seconds / 60, 0)} min` : `${num(seconds / 3600, 1)} h`;
}

/** What a number of the models means: its head, its unit there and behind a value, a sentence, and how a value reads. */
export function foretold(target) {
  const [, kind, sessions] = /^(return|up)_(\d+)$/.exec(target) ?? [];
  if (kind === "return") {
    const title = `Where the models expect the symbol among all others by its return over ${sessions} sessions: percentile points above or below the middle`;
    return { head: `${sessions}-day rank`, unit: "± pct. points", short: " pp", title, show: (x) => signed(missing(x) ? x : 100 * x) };
  }
  if (kind === "up") return { head: `${sessions}-day rise`, unit: "chance, %", short: "%", title: `How likely the models hold it that the price rises over ${sessions} sessions`, show: (x) => num(missing(x) ? x : 100 * x, 1) };
  return { head: words(target), unit: "", short: "", title: "What a model says", show: (x) => signed(x, 4) };
}

/** An indicator as a chart names it: sma_20 is "SMA 20". */
export function indicator(name) {
  const [kind, ...rest] = name.split("_");
  return [kind === "bbands" ? "Bollinger" : kind.toUpperCase(), ...rest].join(" ");
}

export const words = (name) => String(name).replaceAll("_", " ");
export const direction = (x) => (missing(x) || x === 0 ? "flat" : x > 0 ? "up" : "down");
