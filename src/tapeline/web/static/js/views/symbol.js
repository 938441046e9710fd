// One symbol: its bars, what is said of it, what was thought of it, and what was done.

import { el, fill, onTheme, setText } from "../dom.js";
import * as f from "../format.js";
import { ask, refusal } from "../store.js";
import { dossierPanel } from "./dossier.js";
import { dealRow } from "./portfolio.js";
import { empty, label, panel } from "./parts.js";

const REST_MS = 800;

export function symbolView(store, symbol) {
  const head = el("div", { class: "symbolhead" });
  const box = el("div", { class: "chart", role: "img", "aria-label": `Candles of ${symbol}` });
  const kinds = el("div", { class: "switch", role: "group", "aria-label": "Length of a bar" });
  const lines = el("div", { class: "switch lines", role: "group", "aria-label": "Indicators" });
  const noChart = el("div");
  const side = el("div", { class: "aside" });
  const thought = el("div");
  const headlines = el("div");
  const chart = el("section", { class: "panel" }, el("header", {}, kinds, lines), box, noChart);
  const node = el("div", { class: "symbolview" }, head, el("div", { class: "columns" }, el("div", {}, chart, thought), el("div", {}, side, headlines)));
  const gone = { yes: false };
  const chosen = new Set();
  let kind = "minutes";
  let candles = null;
  let page = null;
  let busy = false;
  let stale = false;
  const stop = onTheme(() => (candles?.theme(), page && showChart()));

  function showHead() {
    fill(head, el("div", {}, el("h1", {}, page.symbol), el("p", {}, [page.name, page.sector].filter(Boolean).join(" · "))),
      el("div", { class: "quote" }, el("strong", {}, f.num(page.price)), el("span", { class: f.direction(page.change_pct) }, f.pct(page.change_pct)), label(page.label)));
  }

  function pick(name, on, run, hue) {
    return el("button", { type: "button", "aria-pressed": String(on), on: { click: run } }, hue ? el("i", { class: hue }) : null, name);
  }

  function toggle(name) {
    if (!chosen.delete(name)) chosen.add(name);
    showChart();
  }

  function showChart() {
    const names = kind === "minutes" ? Object.keys(page.indicators) : [];
    fill(kinds, [["minutes", "1 minute"], ["days", "1 day"]].map(([name, text]) => pick(text, kind === name, () => ((kind = name), showChart()))));
    fill(lines, names.map((name, at) => pick(f.words(name), chosen.has(name), () => toggle(name), `f${at % 8}`)));
    const some = page[kind].length > 0;
    box.hidden = !some;
    fill(noChart, some ? null : empty("No bars yet", kind === "minutes" ? "The first minute of this symbol has not traded." : ""));
    if (some) candles?.show(page, kind, chosen);
  }

  function showSide() {
    const held = page.holding;
    const rows = held ? [["Shares", f.qty(held.qty)], ["Cost", f.num(held.avg_price)], ["Value", f.money(held.value)], ["Profit", f.pct(held.profit_pct)]] : [];
    const facts = el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", { class: name === "Profit" ? f.direction(held.profit_pct) : "" }, value)]).flat());
    const deals = el("ol", { class: "deals" }, page.deals.map((row) => dealRow(row, false)));
    fill(side, panel("Position", null, held ? facts : empty("Not held"), page.deals.length ? deals : null));
    const items = page.headlines.map(([ns, publisher, title]) => el("li", {}, el("p", {}, title), el("small", {}, `${publisher} · ${f.moment(ns, store.parts.status?.now_ns ?? ns)}`)));
    fill(headlines, panel("Headlines", "text from outside, shown as it came", items.length ? el("ul", { class: "headlines" }, items) : empty("No headlines")));
  }

  async function load() {
    if (busy) return void (stale = true);
    busy = true;
    stale = false;
    try {
      page = await ask(`/api/symbols/${encodeURIComponent(symbol)}`);
      if (gone.yes) return;
      if (!candles) {
        const { Candles } = await import("../candles.js");
        if (gone.yes) return;
        for (const name of Object.keys(page.indicators).slice(0, 2)) chosen.add(name);
        fill(node, head, node.lastChild);
        candles = new Candles(box);
      }
      showHead();
      showChart();
      showSide();
      const before = thought.querySelector("details")?.open ?? false;
      fill(thought, dossierPanel(page.dossier, before));
    } catch (error) {
      const { status, message } = refusal(error); // with a page on show, the strip at the top says it
      if (!page) fill(head, empty(symbol, message));
      if (!page) node.lastChild.hidden = status === 404;
    } finally {
      setTimeout(() => ((busy = false), stale && !gone.yes && load()), REST_MS);
    }
  }

  fill(head, empty("Asking the node …"));
  return {
    node,
    parts: [],
    update: (name) => ["all", "status"].includes(name) && load(),
    close: () => ((gone.yes = true), stop(), candles?.close()),
  };
}
