// The button that starts a run, and the dialog that asks for the node's token. The token stays in this tab's session.

import { el, setText } from "./dom.js";
import { ask, refusal } from "./store.js";

const KEY = "tapeline.token";

export function runButton(store) {
  const token = el("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const tickers = el("input", { id: "tickers", type: "number", min: 1, max: 200, placeholder: "as configured" });
  const mode = el("select", { id: "mode" }, el("option", { value: "" }, "as configured"), el("option", { value: "streaming" }, "streaming: each ticker as it is found"), el("option", { value: "sequential" }, "sequential: phase by phase"));
  const wrong = el("p", { class: "wrong", role: "alert" });
  const send = el("button", { type: "submit", class: "primary" }, "Start");
  const leave = el("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel");
  const form = el("form", { on: { submit: (event) => (event.preventDefault(), start()) } },
    el("h2", { id: "run-title" }, "Start a run"),
    el("label", { for: "token" }, "Token of the node"), token,
    el("p", { class: "hint" }, "It is the value of “token” in run/node.json inside the node's home, a file that only you can read; this tab keeps it until you close it."),
    el("div", { class: "pair" }, el("div", {}, el("label", { for: "tickers" }, "Tickers at most"), tickers), el("div", {}, el("label", { for: "mode" }, "Mode"), mode)),
    wrong, el("div", { class: "buttons" }, leave, send));
  const dialog = el("dialog", { "aria-labelledby": "run-title" }, form);
  const said = el("span", { class: "said", role: "status" });

  async function start() {
    setText(wrong, "");
    send.disabled = true;
    const query = new URLSearchParams();
    if (tickers.value) query.set("max_tickers", tickers.value);
    if (mode.value) query.set("mode", mode.value);
    try {
      const headers = { Authorization: `Bearer ${encodeURIComponent(token.value.trim())}` };
      const answer = await ask(`/api/bot/run-loop?${query}`, { method: "POST", headers });
      sessionStorage.setItem(KEY, token.value.trim());
      setText(said, answer.message);
      dialog.close();
    } catch (error) {
      const { status, message } = refusal(error);
      if (status === 401) sessionStorage.removeItem(KEY);
      setText(wrong, message);
    } finally {
      send.disabled = false;
    }
  }

  function open() {
    token.value = sessionStorage.getItem(KEY) ?? "";
    setText(wrong, "");
    setText(said, "");
    dialog.showModal();
    (token.value ? send : token).focus();
  }

  return el("div", { class: "run" }, el("button", { type: "button", class: "primary", on: { click: open } }, "Start a run …"), said, dialog);
}
