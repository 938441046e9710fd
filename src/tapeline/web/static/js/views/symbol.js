// One symbol: its bars, what is said of it, what was thought of it, and what was done.

import { el, fill, onTheme, setText } from "../dom.js";
import * as f from "../format.js";
import { ask, refusal } from "../store.js";
import { dossierPanel } from "./dossier.js";
import { dealRow } from "./portfolio.js";
import { daysOf, empty, label, panel, toldBy, waiting } from "./parts.js";

const REST_MS = 800;

export function symbolView(store, symbol) {
  const head = el("div", { class: "symbolhead" });
  const box = el("div", { class: "chart", role: "group", "aria-label": `Candles of ${symbol}` });
  const origin = el("span");
  const kinds = el("div", { class: "switch", role: "group", "aria-label": "Length of a bar" });
  const lines = el("div", { class: "switch lines", role: "group", "aria-label": "Indicators" });
  const noChart = el("div");
  const side = el("div", { class: "aside" });
  const thought = el("div");
  const headlines = el("div");
  const ranked = el("div", { hidden: true });
  const chart = el("section", { class: "panel" }, el("header", {}, kinds, lines, origin), box, noChart);
  const columns = el("div", { class: "columns" }, el("div", {}, chart, thought), el("div", {}, side, ranked, headlines));
  const node = el("div", { class: "symbolview" }, head, columns);
  const gone = { yes: false };
  const chosen = new Set();
  let kind = "minutes";
  let candles = null;
  let page = null;
  let busy = false;
  let stale = false;
  let unknown = false; // the market has no such symbol, so asking again is of no use
  const stop = onTheme(() => (candles?.theme(), page && showChart()));

  function showHead() {
    fill(head, el("div", {}, el("h1", {}, page.symbol), el("p", {}, [page.name, page.sector].filter(Boolean).join(" · "))),
      el("div", { class: "quote" }, el("strong", { title: page.price === null ? "It has not traded today." : null }, f.dollars(page.price)),
        el("span", { class: f.direction(page.change_pct), title: "Since the previous close" }, f.pct(page.change_pct)), label(page.label)));
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
    fill(lines, names.map((name, at) => pick(f.indicator(name), chosen.has(name), () => toggle(name), `f${at % 8}`)));
    fill(origin, label(kind === "days" ? daysOf(page.label) : page.label));
    origin.title = kind === "days" && page.label === "bridged" ? "Today's bar is folded from bridged minutes." : "";
    const some = page[kind].length > 0;
    box.hidden = !some;
    fill(noChart, some ? null : empty("No bars yet", kind === "minutes" ? "The first minute of this symbol has not traded." : ""));
    if (some) candles?.show(page, kind, chosen);
  }

  function showSide() {
    const held = page.holding;
    const rows = held ? [["Shares", f.qty(held.qty)], ["Cost", f.dollars(held.avg_price)], ["Value", f.money(held.value, 0)], ["Profit", f.pct(held.profit_pct)]] : [];
    const facts = el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", { class: name === "Profit" ? f.direction(held.profit_pct) : "" }, value)]).flat());
    const deals = el("ol", { class: "deals" }, page.deals.map((row) => dealRow(row, false)));
    fill(side, panel("Position", null, held ? facts : empty("Not held"), page.deals.length ? deals : null));
    const items = page.headlines.map(([ns, publisher, title]) => el("li", {}, el("p", {}, title), el("small", {}, `${publisher} · ${f.moment(ns, store.parts.status?.now_ns ?? ns)}`)));
    const press = panel("Headlines", "as they came", items.length ? el("ul", { class: "headlines" }, items) : empty("No headlines"));
    press.firstChild.append(toldBy(store.parts.status) ?? "");
    fill(headlines, press);
  }

  function showScan() {
    const row = store.parts.scan?.find((one) => one.symbol === symbol);
    ranked.hidden = !row;
    if (!row) return;
    const said = (target, value) => {
      const { head, short, title, show } = f.foretold(target);
      return [head, f.missing(value) ? f.NONE : `${show(value)}${short}`, f.missing(value) ? "The models abstain on it." : title];
    };
    const models = Object.entries(row.models).map(([target, value]) => said(target, value));
    const rows = [["Rank", f.count(row.rank)], ["Score", f.signed(row.score, 3)], ["Stop", f.dollars(row.stop)], ["Target", f.dollars(row.target)], ...models];
    const facts = el("dl", { class: "facts many" }, rows.map(([name, value, title]) => el("div", { title }, el("dt", {}, name), el("dd", {}, value))));
    const made = panel("In the last scan", models.length ? "pp: percentile points" : null, facts);
    made.firstChild.append(label(store.parts.status?.label) ?? "");
    fill(ranked, made);
  }

  async function load() {
    if (busy) return void (stale = true);
    busy = true;
    stale = false;
    try {
      page = await ask(`/api/symbols/${encodeURIComponent(symbol)}`);
      if (gone.yes) return;
      showHead();
      columns.hidden = false; // before the chart, which takes its size from it
      if (!candles) {
        const { Candles } = await import("../candles.js");
        if (gone.yes) return;
        for (const name of Object.keys(page.indicators).slice(0, 2)) chosen.add(name);
        candles = new Candles(box);
      }
      showChart();
      showSide();
      const before = thought.querySelector("details")?.open ?? false;
      fill(thought, dossierPanel(page.dossier, before));
    } catch (error) {
      const { status, message } = refusal(error); // with a page on show, the strip at the top says it
      unknown = status === 404;
      if (!page) fill(head, empty(symbol, message));
    } finally {
      setTimeout(() => ((busy = false), stale && !gone.yes && load()), REST_MS);
    }
  }

  function follow() {
    const wait = waiting(store.parts.status);
    columns.hidden = Boolean(wait) || !page;
    if (!wait) return void (unknown || load());
    [page, unknown] = [null, false]; // a node that starts again begins anew
    fill(head, wait);
  }

  fill(head, empty("Asking the node …"));
  return {
    node,
    parts: ["scan"],
    update(name) {
      if (["all", "scan"].includes(name)) showScan();
      if (["all", "status"].includes(name)) follow();
    },
    close: () => ((gone.yes = true), stop(), candles?.close()),
  };
}
