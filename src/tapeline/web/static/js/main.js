// Boot: one store, a header, one view at a time by the address after '#'.

import { fill } from "./dom.js";
import { Header } from "./header.js";
import { bindSearch } from "./search.js";
import { Store } from "./store.js";
import { loopView } from "./views/loop.js";
import { mapView } from "./views/map.js";
import { portfolioView } from "./views/portfolio.js";
import { scanView } from "./views/scan.js";
import { symbolView } from "./views/symbol.js";

const VIEWS = { map: mapView, scan: scanView, loop: loopView, portfolio: portfolioView, symbol: symbolView };
const TITLES = { map: "Map", scan: "Scan", loop: "Loop", portfolio: "Portfolio" };

const store = new Store();
const header = new Header(store);
const main = document.getElementById("view");
let view;

/** What an address means; a '%' that begins no code stands for itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  const [name, argument] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const shown = VIEWS[name] && (name !== "symbol" || argument) ? name : "map";
  view?.close?.();
  view = VIEWS[shown](store, argument);
  document.title = `${argument && shown === "symbol" ? argument : TITLES[shown]} · Tapeline`;
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
addEventListener("hashchange", () => {
  route();
  scrollTo(0, 0);
});
bindSearch(store);
route();
header.update("connection");
store.start();
