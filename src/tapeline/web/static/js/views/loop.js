// The run from discovery to trade: each ticker a row that moves through the stages on the market's time.

import { el, fill, keyed, setText } from "../dom.js";
import * as f from "../format.js";
import { runButton } from "../run.js";
import { empty, panel, symbolLink, toldBy } from "./parts.js";

export const STAGES = ["queued", "collecting", "analyzing", "trading", "traded"];
const STEP = { discovered: 0, queued: 0, collecting: 1, collected: 1, analyzing: 2, analyzed: 2, trading: 3, traded: 4, skipped: -1, failed: -1 };
const ENDS = new Set(["traded", "skipped", "failed"]);
const LOG_LINES = 200;
const NO_ORDER = "no order";

export function loopView(store) {
  const counters = el("ol", { class: "funnel" });
  const bad = el("ul", { class: "degraded" });
  const axis = el("div", { class: "axis", "aria-hidden": "true" }, el("div"));
  const rows = el("ul", { class: "tickers" });
  const skipped = el("div");
  const log = el("ol", { class: "log", tabindex: 0, "aria-label": "Log, newest first" });
  const none = el("div");
  const state = el("span", { class: "note" });
  const legend = el("p", { class: "stages" }, STAGES.map((stage) => el("span", {}, el("i", { class: `s-${stage}` }), stage)));
  const run = panel("Tickers", null, bad, legend, el("div", { class: "lanes" }, axis, rows, skipped), none);
  const origin = el("span", { title: "Who names tickers, and what is collected of them" });
  run.firstChild.append(state, origin);
  const head = el("div", { class: "loophead" }, el("h1", {}, "From discovery to trade"), runButton(store), counters);
  const node = el("div", { class: "loopview" }, head, el("div", { class: "columns" }, run, panel("Log", "the market's time", log)));

  showCounters({ counters: { discovered: null, collected: null, analyzed: null, traded: null } }); // takes the place until the node answers
  axis.hidden = legend.hidden = true;

  function update(name) {
    if (!["all", "loop", "status"].includes(name)) return;
    const loop = store.parts.loop;
    if (!loop) return void fill(none, empty("Asking the node …"));
    const now = store.parts.status?.now_ns ?? 0;
    fill(origin, toldBy(store.parts.status) ?? "");
    showCounters(loop);
    showTickers(loop, now);
    if (name === "status") return;
    fill(bad, loop.degraded.map((sentence) => el("li", {}, sentence)));
    setText(state, describe(loop));
    const make = (line) => el("li", {}, el("time", {}, f.isoTime(line.time)), el("span", {}, line.message));
    keyed(log, told(loop.log.slice(-LOG_LINES)).reverse(), (line) => line.key, make, () => {});
  }

  function showCounters(loop) {
    const make = ([name]) => el("li", {}, el("strong"), el("span", {}, name));
    keyed(counters, Object.entries(loop.counters), ([name]) => name, make, (node, [, n]) => setText(node.firstChild, f.count(n)));
  }

  function showSkipped(tickers) {
    const reasons = [...new Set(tickers.map((ticker) => ticker.detail))];
    const make = () => el("details", { class: "skipped" }, el("summary"), el("p"));
    keyed(skipped, reasons, (reason) => reason, make, (node, reason) => {
      const those = tickers.filter((ticker) => ticker.detail === reason);
      setText(node.firstChild, `${those.length} skipped${reason ? `: ${reason}` : ""}`);
      keyed(node.lastChild, those, (ticker) => ticker.symbol, (ticker) => symbolLink(ticker.symbol), () => {});
    });
  }

  function showTickers(loop, now) {
    const idle = empty("No run yet", "A run looks for symbols that are talked about, collects what is known of each, asks for an opinion and trades on it. It starts by itself after the open, or with the button above.");
    fill(none, loop.tickers.length ? null : idle);
    rows.hidden = axis.hidden = legend.hidden = !loop.tickers.length;
    const kept = loop.tickers.filter((ticker) => ticker.stage !== "skipped");
    const waits = (ticker) => STEP[ticker.stage] === 0;
    const shown = [...kept.filter((ticker) => !waits(ticker)), ...kept.filter(waits)];
    showSkipped(loop.tickers.filter((ticker) => ticker.stage === "skipped"));
    const moments = shown.flatMap((ticker) => ticker.history.map(([, at]) => at));
    const from = Math.min(...moments);
    const over = shown.every((ticker) => ENDS.has(ticker.stage));
    const to = over ? Math.max(...moments) : Math.max(now, ...moments);
    const ticks = to > from ? [0, 0.25, 0.5, 0.75, 1] : [];
    const texts = ticks.map((t) => (to - from < 6e11 ? f.time : f.minute)(from + t * (to - from)));
    const marks = ticks.map((t, at) => texts[at] !== texts[at - 1] && el("time", { style: { left: `${100 * t}%` } }, texts[at]));
    fill(axis.firstChild, marks);
    keyed(rows, shown, (ticker) => ticker.symbol, makeTicker, (node, ticker) => showTicker(node, ticker, from, to));
  }

  return { node, parts: ["loop"], update };
}

// The node keeps its last lines only, so a line's place says nothing of who it is: its time and its words do.
function told(lines) {
  const times = new Map();
  return lines.map((line) => {
    const words = `${line.time} ${line.message}`;
    const nth = (times.get(words) ?? 0) + 1;
    times.set(words, nth);
    return { ...line, key: `${words} ${nth}` };
  });
}

function describe(loop) {
  if (!loop.started_at) return loop.running ? "a run begins with the market's next minute" : "";
  const phases = Object.entries(loop.phases).map(([name, word]) => `${f.words(name)}: ${f.words(word)}`).join(", ");
  return `${loop.mode}, started ${f.isoTime(loop.started_at)}${phases ? `; ${phases}` : ""}`;
}

function makeTicker({ symbol }) {
  const pips = el("span", { class: "pips", "aria-hidden": "true" }, STAGES.map((stage) => el("i", { class: `s-${stage}` })));
  return el("li", { "data-symbol": symbol }, symbolLink(symbol), el("span", { class: "stage" }), pips, el("div", { class: "track" }), el("span", { class: "detail" }));
}

function showTicker(node, ticker, from, to) {
  const [, stage, pips, track, detail] = node.children;
  node.dataset.stage = ticker.stage;
  const idle = ticker.stage === "traded" && ticker.detail.startsWith(NO_ORDER); // it went the whole way, and nothing was bought or sold
  setText(stage, idle ? NO_ORDER : ticker.stage);
  stage.className = `stage s-${idle ? "skipped" : (STAGES[STEP[ticker.stage]] ?? ticker.stage)}`;
  const step = (STEP[ticker.stage] ?? 0) - (idle ? 1 : 0);
  [...pips.children].forEach((pip, at) => pip.classList.toggle("on", at <= step));
  setText(detail, idle ? ticker.detail.slice(NO_ORDER.length).replace(/^: /, "") : ticker.detail);
  detail.title = ticker.detail;
  const ends = ticker.history.map((_, at) => ticker.history[at + 1]?.[1] ?? (ENDS.has(ticker.stage) ? ticker.history[at][1] : to));
  const share = (ns) => (to > from ? (100 * (ns - from)) / (to - from) : 0);
  const make = ([name]) => el("i", { class: `s-${STAGES[STEP[name]] ?? name}` });
  const pieces = ticker.history.map(([name, at], i) => [name, at, ends[i], i]);
  keyed(track, pieces, (piece) => piece[3], make, (piece, [name, at, end, i]) => {
    piece.style.setProperty("left", `min(${share(at)}%, 100% - 3px)`);
    piece.style.setProperty("width", `${Math.max(0, share(end) - share(at))}%`);
    piece.classList.toggle("now", i === pieces.length - 1 && !ENDS.has(ticker.stage));
    piece.title = `${name} ${f.time(at)}`;
  });
}
