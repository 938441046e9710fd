// Small pieces that several views use.

import { el } from "../dom.js";
import * as f from "../format.js";

export const empty = (title, sentence) => el("div", { class: "empty" }, el("strong", {}, title), sentence ? el("p", {}, sentence) : null);

export const symbolLink = (symbol) => el("a", { class: "symbol", href: `#/symbol/${encodeURIComponent(symbol)}` }, symbol);

/** Where numbers come from; nothing while that is not known. */
export const label = (name) => (name ? el("span", { class: "label", title: f.LABELS[name] ?? "" }, name) : null);

export const panel = (title, note, ...content) =>
  el("section", { class: "panel" }, el("header", {}, el("h2", {}, title), note ? el("span", { class: "note" }, note) : null), ...content);

export const waiting = (status) =>
  !status
    ? empty("Asking the node …")
    : status.state === "starting" || status.state === "history"
      ? empty("The node is getting ready", "It starts its parts and reads the history of the market; this fills as soon as the first minute is in.")
      : null;

/** A figure with its name. */
export const figure = (name, value, extra) => el("div", { class: "figure" }, el("span", {}, name), el("strong", {}, value), extra ? el("small", {}, extra) : null);
