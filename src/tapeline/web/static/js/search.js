// The search field: '/' goes there, letters narrow, arrows choose, Enter opens the symbol.

import { el, fill } from "./dom.js";
import { ask, refusal } from "./store.js";

const SHOWN = 8;

export function bindSearch(store) {
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  let symbols = [];
  let chosen = -1;
  let missing = "Asking the node …";

  async function learn() {
    try {
      const tiles = store.parts.market ?? (await ask("/api/market"));
      symbols = tiles.map((tile) => ({ symbol: tile.symbol, sector: tile.sector, name: tile.name }));
      missing = symbols.length ? "No such symbol" : "The market is not there yet";
    } catch (error) {
      missing = refusal(error).message;
    }
    show();
  }

  function matches() {
    const typed = input.value.trim().toUpperCase();
    if (!typed) return [];
    const begins = symbols.filter(({ symbol }) => symbol.startsWith(typed));
    const within = ({ symbol, name, sector }) => [symbol, name, sector].some((text) => text.toUpperCase().includes(typed));
    const others = symbols.filter((one) => !one.symbol.startsWith(typed) && within(one));
    return [...begins, ...others].slice(0, SHOWN);
  }

  function show() {
    const found = matches();
    chosen = Math.min(chosen, found.length - 1);
    const rows = found.map(({ symbol, name, sector }, at) =>
      el(
        "li",
        { id: `found-${at}`, role: "option", "aria-selected": String(at === chosen), on: { mousedown: (event) => (event.preventDefault(), open(symbol)) } },
        el("b", {}, symbol),
        el("span", {}, name || sector),
      ),
    );
    const none = input.value.trim() ? el("li", { class: "none" }, missing) : null;
    fill(list, rows.length ? rows : none);
    list.hidden = !list.childElementCount || document.activeElement !== input;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (chosen >= 0) input.setAttribute("aria-activedescendant", `found-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function open(symbol) {
    location.hash = `#/symbol/${encodeURIComponent(symbol)}`;
    input.value = "";
    input.blur();
  }

  input.addEventListener("focus", learn);
  input.addEventListener("blur", () => (list.hidden = true));
  input.addEventListener("input", () => {
    chosen = -1;
    show();
  });
  input.addEventListener("keydown", (event) => {
    const found = matches();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
      show();
    } else if (event.key === "Enter" && found.length) open(found[Math.max(0, chosen)].symbol);
    else if (event.key === "Escape") {
      input.value = "";
      input.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });
}
