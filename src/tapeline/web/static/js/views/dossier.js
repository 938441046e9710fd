// What was thought of a symbol: a conviction, what made it, and the evidence in words.

import { el } from "../dom.js";
import * as f from "../format.js";
import { empty, label, panel } from "./parts.js";

export function dossierPanel(dossier, open) {
  if (!dossier) return panel("Dossier", null, empty("No dossier", "A run from discovery to trade writes one for the symbols that are talked about most."));
  const by = dossier.model ? `${dossier.model}, ${dossier.llm_calls} calls` : "rules only, no language model";
  const note = `as of ${f.minute(dossier.as_of_ns)} · ${by}`;
  const degraded = dossier.degraded.length ? el("ul", { class: "degraded" }, dossier.degraded.map((line) => el("li", {}, line))) : null;
  const made = panel("Dossier", note, el("div", { class: "dossier" }, conviction(dossier), degraded, inWords(dossier), flags(dossier), answers(dossier), scorecard(dossier, open)));
  made.firstChild.append(label(dossier.label));
  return made;
}

function conviction({ conviction: sum, prior, model_part: part, action }) {
  const span = (from, to) => ({ left: `${100 * Math.min(from, to)}%`, width: `${100 * Math.abs(to - from)}%` });
  const bar = el("div", { class: "conviction", role: "img", "aria-label": `Conviction ${f.num(sum)}: prior ${f.num(prior)} and model ${f.signed(part)}` },
    el("i", { class: "prior", style: span(0.5, prior) }), el("i", { class: `model ${part < 0 ? "down" : "up"}`, style: span(prior, sum) }),
    el("b", { style: { left: `${100 * sum}%` } }), el("s", { style: { left: "50%" } }));
  const words = el("p", {}, el("span", { class: `side ${action}` }, action), el("strong", {}, f.num(sum)),
    el("span", {}, " = ", el("i", { class: "key prior" }), `prior ${f.num(prior)} from the numbers`), el("span", {}, el("i", { class: "key model" }), `${f.signed(part)} from the model`));
  return el("div", { class: "verdict" }, words, bar, el("p", { class: "scale", "aria-hidden": "true" }, el("span", {}, "0 sell"), el("span", {}, "0.5 no opinion"), el("span", {}, "1 buy")));
}

function inWords({ summary, bull, bear, catalysts }) {
  const cases = [["For", bull, "up"], ["Against", bear, "down"]].filter(([, text]) => text);
  return el("div", { class: "words" }, summary ? el("p", { class: "summary" }, summary) : null,
    el("div", { class: "cases" }, cases.map(([name, text, kind]) => el("div", {}, el("h3", { class: kind }, name), el("p", {}, text)))),
    catalysts.length ? el("div", {}, el("h3", {}, "Ahead"), el("ul", {}, catalysts.map((line) => el("li", {}, line)))) : null);
}

const flags = ({ flags: list }) => (list.length ? el("p", { class: "flags" }, list.map((flag) => el("span", {}, f.words(flag)))) : null);

function answers({ answers: list }) {
  if (!list.length) return null;
  const one = ({ question, answer, source, cited, by_model: byModel }) =>
    el("div", {}, el("dt", {}, question), el("dd", {}, el("p", {}, answer),
      el("small", {}, `${f.words(source)}${cited.length ? ` · cites ${cited.join(", ")}` : ""} · ${byModel ? "answered by the model" : "answered by rule"}`)));
  return el("div", {}, el("h3", {}, "Questions put to the evidence"), el("dl", { class: "answers" }, list.map(one)));
}

const POINTS = "points_";

function scorecard({ scorecard: rows, prior }, open) {
  if (!rows.length) return null;
  const points = rows.filter(([name]) => name.startsWith(POINTS));
  const measures = rows.filter(([name]) => !name.startsWith(POINTS));
  const line = (name, text, kind) => el("div", {}, el("dt", {}, name), el("dd", { class: kind, title: text === f.NONE ? "not known" : null }, text));
  const made = points.map(([name, value]) => line(f.words(name.slice(POINTS.length)), f.signed(value, 3), f.direction(value)));
  const known = measures.map(([name, value]) => line(...f.measure(name, value)));
  return el("details", { open }, el("summary", {}, `Scorecard: ${measures.length} measures`),
    made.length ? el("h3", {}, `What made the prior of ${f.num(prior, 3)}: 0.500, and these points`) : null, made.length ? el("dl", { class: "scorecard" }, made) : null,
    el("h3", {}, "Measures"), el("dl", { class: "scorecard" }, known));
}
