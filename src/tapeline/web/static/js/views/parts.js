// Small pieces that several views use.

import { el } from "../dom.js";
import * as f from "../format.js";

export const empty = (title, sentence) => el("div", { class: "empty" }, el("strong", {}, title), sentence ? el("p", {}, sentence) : null);

export const symbolLink = (symbol) => el("a", { class: "symbol", href: `#/symbol/${encodeURIComponent(symbol)}` }, symbol);

/** Where numbers come from; nothing while that is not known. */
export const label = (name) => (name ? el("span", { class: "label", title: f.LABELS[name] ?? "" }, name) : null);

/** Where what people write and say comes from: a replay's press and its model are the simulator's. */
export const toldBy = (status) => (!status ? null : status.mode === "replay" ? label("simulated") : label("real"));

/** Where the bars of whole days come from, by where those of the minutes do: bridged minutes lie inside real days. */
export const daysOf = (name) => (name === "bridged" ? "real" : name);

export const panel = (title, note, ...content) =>
  el("section", { class: "panel" }, el("header", {}, el("h2", {}, title), note ? el("span", { class: "note" }, note) : null), ...content);

export const waiting = (status) =>
  !status
    ? empty("Asking the node …")
    : status.state === "starting" || status.state === "history"
      ? empty("The node is getting ready", "It starts its parts and reads the history of the market; this fills as soon as the first minute is in.")
      : null;

/** A figure with its name. */
export const figure = (name, value, extra, title) => el("div", { class: "figure", title: title || null }, el("span", {}, name), el("strong", {}, value), extra ? el("small", {}, extra) : null);
