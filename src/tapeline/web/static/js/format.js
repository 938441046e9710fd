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

const missing = (x) => x === null || x === undefined || Number.isNaN(x);
const minus = (text) => text.replace("-", "−");

export function num(x, places = 2) {
  if (missing(x)) return NONE;
  if (!digits.has(places)) {
    digits.set(places, new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }));
  }
  return minus(digits.get(places).format(x));
}

export const count = (x) => num(x, 0);
export const qty = (x) => (missing(x) ? NONE : num(x, Number.isInteger(x) ? 0 : 2));
export function signed(x, places = 2) {
  if (missing(x)) return NONE;
  const rounds = Math.abs(x) * 10 ** places < 0.5; // no sign on a zero
  return rounds ? num(0, places) : (x > 0 ? "+" : "") + num(x, places);
}
export const pct = (x, places = 2) => (missing(x) ? NONE : `${signed(x, places)}%`);
export const money = (x, places = 2) => (missing(x) ? NONE : (x < 0 ? "−" : "") + "$" + num(Math.abs(x), places));

export function compact(x) {
  if (missing(x)) return NONE;
  const steps = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];
  const [unit, name] = steps.find(([size]) => Math.abs(x) >= size) ?? [1, ""];
  return num(x / unit, Math.abs(x) >= 1e3 ? 1 : 0) + name;
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

export const words = (name) => String(name).replaceAll("_", " ");
export const direction = (x) => (missing(x) || x === 0 ? "flat" : x > 0 ? "up" : "down");
