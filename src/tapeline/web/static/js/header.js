// The strip at the top and the tally at the bottom: the market's time, the node's state, its sources, the connection.

import { el, fill, keyed, setText } from "./dom.js";
import * as f from "./format.js";

const STATES = { starting: "starting", history: "reading history", before_open: "before the open", open: "open", closed: "closed" };
const SPEED_OVER_MS = 2500;
const SHOW_BACK_MS = 4000;
const LOST = "Disconnected: the numbers below are the last ones heard. Trying again every second …";

export class Header {
  constructor(store) {
    this.store = store;
    this.seen = [];
    this.time = el("strong", { class: "time" }, "--:--:--");
    this.day = el("span", { class: "day" });
    this.mode = el("span", { class: "chip mode", hidden: true });
    this.state = el("span", { class: "chip state" }, "connecting");
    this.speed = el("span", { class: "speed", title: "Market seconds per second of yours, over the last moments" });
    this.lamp = el("span", { class: "lamp", "aria-hidden": "true" });
    this.summary = el("span", { class: "many" });
    this.verdict = el("span");
    this.list = el("ul");
    this.sources = el("details", { class: "sources", hidden: true }, el("summary", {}, this.lamp, this.summary, el("span", { class: "noun" }, " sources"), " ", this.verdict), this.list);
    const when = el("div", { class: "when" }, this.time, this.day);
    fill(document.getElementById("market"), this.mode, this.state, this.speed, this.sources, when);
    this.session = document.getElementById("session");
    this.notices = document.getElementById("notices");
    this.tally = document.getElementById("tally");
    document.addEventListener("click", (event) => {
      if (!this.sources.contains(event.target)) this.sources.open = false;
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && (this.sources.open = false));
  }

  update(name) {
    if (name === "status") this.showStatus(this.store.parts.status);
    if (name === "connection" || name === "status") this.showConnection();
  }

  showConnection() {
    const lost = this.store.connection === "lost";
    const back = this.lost && this.store.connection === "live";
    this.lost = lost || (this.lost && !back);
    document.documentElement.classList.toggle("lost", lost);
    if (back) {
      this.backAt = performance.now();
      setTimeout(() => this.showConnection(), SHOW_BACK_MS + 50);
    }
    const healed = performance.now() - (this.backAt ?? -Infinity) < SHOW_BACK_MS;
    const kind = lost ? "lost" : this.store.problem ? "error" : healed ? "back" : "";
    const sentence = { lost: LOST, error: this.store.problem, back: "Connected again: the numbers are of now.", "": "" }[kind];
    if (this.notices.textContent !== sentence) fill(this.notices, sentence ? el("p", { class: kind }, sentence) : null);
    if (lost) setText(this.state, "disconnected");
    else if (this.store.parts.status) setText(this.state, STATES[this.store.parts.status.state] ?? this.store.parts.status.state);
    this.state.dataset.state = lost ? "lost" : (this.store.parts.status?.state ?? "connecting");
  }

  showStatus(status) {
    setText(this.time, status.now_ns ? f.time(status.now_ns) : "--:--:--");
    setText(this.day, f.session(status.day));
    setText(this.mode, status.mode);
    this.mode.dataset.mode = status.mode;
    this.mode.title = status.mode === "live" ? "The market of now; orders go to a paper account." : "A day replayed from the vendor simulator.";
    this.mode.hidden = false;
    this.showSpeed(status);
    const share = status.minutes ? status.minutes_done / status.minutes : 0;
    this.session.firstElementChild.style.width = `${100 * share}%`;
    this.session.setAttribute("aria-valuenow", status.minutes_done);
    this.session.setAttribute("aria-valuemax", status.minutes);
    this.showSources(status.sources);
    this.showTally(status);
  }

  showSpeed(status) {
    const wall = performance.now();
    this.seen = [...this.seen.filter(([at, then]) => then && wall - at < SPEED_OVER_MS), [wall, status.now_ns]];
    const [[from, then]] = this.seen;
    const rate = wall - from > 400 ? (status.now_ns - then) / 1e6 / (wall - from) : 0;
    setText(this.speed, rate >= 1.5 ? `× ${f.count(rate < 20 ? rate : Math.round(rate / 10) * 10)}` : "");
  }

  showSources(sources) {
    const names = Object.entries(sources);
    const bad = names.filter(([, word]) => word !== "ok").length;
    this.sources.hidden = names.length === 0;
    this.sources.classList.toggle("bad", bad > 0);
    setText(this.summary, bad ? `${bad} of ${names.length}` : String(names.length));
    setText(this.verdict, bad ? "degraded" : "ok");
    const make = () => el("li", {}, el("span", { class: "lamp", "aria-hidden": "true" }), el("b"), el("span"));
    keyed(this.list, names, ([name]) => name, make, (node, [name, word]) => {
      node.classList.toggle("bad", word !== "ok");
      setText(node.children[1], f.words(name));
      setText(node.children[2], word);
    });
  }

  showTally(status) {
    const rows = [["symbols", status.symbols], ["minutes of market", status.minutes_done], ...Object.entries(status.tally), ...(status.label ? [["label", status.label]] : [])];
    const make = () => el("span", {}, el("b"), " ", el("span"));
    keyed(this.tally, [...rows, ["version", status.version]], ([name]) => name, make, (node, [name, value]) => {
      setText(node.firstChild, name === "version" ? `v${value}` : typeof value === "number" ? f.count(value) : value);
      setText(node.lastChild, name === "label" ? "data" : name === "version" ? "" : f.words(name));
      if (name === "label") node.title = f.LABELS[value] ?? "";
    });
  }
}
