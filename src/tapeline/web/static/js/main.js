// Boot: one store, a header, one view at a time by the address after '#'.

import { address, remember, remembered } from "./address.js";
import { fill } from "./dom.js";
import { Header } from "./header.js";
import { bindSearch } from "./search.js";
import { Store } from "./store.js";
import { loopView } from "./views/loop.js";
import { mapView } from "./views/map.js";
import { portfolioView } from "./views/portfolio.js";
import { scanView } from "./views/scan.js";
import { symbolView } from "./views/symbol.js";
import { symbolsView } from "./views/symbols.js";

const VIEWS = { map: mapView, symbols: symbolsView, scan: scanView, loop: loopView, portfolio: portfolioView, symbol: symbolView };
const TITLES = { map: "Map", symbols: "Symbols", scan: "Scan", loop: "Loop", portfolio: "Portfolio" };
const REST_MS = 150;

const store = new Store();
const header = new Header(store);
const main = document.getElementById("view");
let view;

function route() {
  const { name, argument } = address();
  const shown = VIEWS[name] && (name !== "symbol" || argument) ? name : "map";
  view?.close?.();
  view = VIEWS[shown](store, argument);
  const title = shown === "symbol" ? argument : TITLES[shown];
  document.title = `${title} · Tapeline`;
  main.setAttribute("aria-label", title);
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.getAttribute("href") === `#/${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(main, view.node);
  main.className = `view-${shown}`;
  store.want(view.parts);
  view.update?.("all");
}

store.listen((name) => {
  header.update(name);
  view?.update?.(name);
});
history.scrollRestoration = "manual";
addEventListener("hashchange", () => {
  route();
  main.focus({ preventScroll: true });
  scrollTo(0, remembered().y ?? 0); // "back" leads to where one was
});
let resting;
addEventListener("scroll", () => {
  clearTimeout(resting);
  resting = setTimeout(() => remember({ y: scrollY }), REST_MS);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to the views
  main.focus();
});
bindSearch(store);
route();
header.update("connection");
store.start();
