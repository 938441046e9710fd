// What the node shows, kept up to date: event streams say what changed, and only what somebody looks at is fetched.

const PATHS = {
  status: "/api/status",
  market: "/api/market",
  scan: "/api/scan",
  scan_news: "/api/scan/news",
  portfolio: "/api/portfolio",
  loop: "/api/bot/loop-status",
};
const REST_MS = { status: 0, market: 400, scan: 400, scan_news: 400, portfolio: 300, loop: 200 };
const COME_BACK_MS = 2000;
const SILENCE_MS = 25_000; // a node says that it is there every ten seconds, so one that is silent for this long is stuck
const LOOK_MS = 5000;
const ANSWER_MS = 15_000;

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** What may go wrong with a request, in a sentence; `status` is 0 when there was no answer. */
export function refusal(error) {
  if (!(error instanceof Refused)) throw error;
  return error;
}

/** Ask the API; an answer that is no success becomes an error with the node's own sentence. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS), ...options });
  } catch {
    throw new Refused(0, "The node does not answer.");
  }
  let body;
  try {
    body = await answer.json();
  } catch {
    throw new Refused(answer.status, answer.ok ? "The node's answer broke off." : `The node answered with ${answer.status}.`);
  }
  if (!answer.ok) throw new Refused(answer.status, body.detail);
  return body;
}

export class Store {
  constructor() {
    this.parts = {};
    this.connection = "connecting";
    this.problem = "";
    this.wanted = new Set(["status"]);
    this.heard = {};
    this.have = {};
    this.busy = new Set();
    this.listeners = new Set();
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.hangUp() : this.follow()));
    setInterval(() => this.stream && performance.now() - this.heardAt > SILENCE_MS && this.startAgain(), LOOK_MS);
    this.follow();
  }

  listen(run) {
    this.listeners.add(run);
    return () => this.listeners.delete(run);
  }

  /** Say which parts the view shows, besides the status. */
  want(names) {
    this.wanted = new Set(["status", ...names]);
    for (const name of this.wanted) this.load(name);
  }

  follow() {
    if (this.stream) return;
    const stream = new EventSource("/api/events");
    this.stream = stream;
    this.heardAt = performance.now();
    const heard = () => (this.heardAt = performance.now());
    stream.addEventListener("changed", (event) => (heard(), this.connected("live"), this.changed(JSON.parse(event.data))));
    stream.addEventListener("here", heard);
    stream.onopen = heard;
    stream.onerror = () => {
      this.connected("lost");
      if (stream.readyState !== EventSource.CLOSED) return;
      this.hangUp();
      setTimeout(() => !document.hidden && this.follow(), COME_BACK_MS);
    };
  }

  /** Leave a stream that says nothing: the node may be stuck, or the machine was asleep. */
  startAgain() {
    this.connected("lost");
    this.hangUp();
    this.follow();
  }

  hangUp() {
    this.stream?.close();
    this.stream = undefined;
  }

  connected(state) {
    if (this.connection === state) return;
    this.connection = state;
    this.tell("connection");
  }

  changed(message) {
    Object.assign(this.heard, message.parts);
    for (const name of Object.keys(message.parts)) this.load(name);
  }

  async load(name) {
    const tag = this.heard[name];
    if (!this.wanted.has(name) || this.busy.has(name) || tag === undefined || tag === this.have[name]) return;
    this.busy.add(name);
    let rest = REST_MS[name];
    try {
      this.parts[name] = await ask(PATHS[name]);
      this.have[name] = tag;
      this.complain("");
    } catch (error) {
      this.complain(refusal(error).message);
      rest = COME_BACK_MS;
    }
    setTimeout(() => {
      this.busy.delete(name);
      this.load(name);
    }, rest);
    if (this.have[name] === tag) this.tell(name);
  }

  complain(sentence) {
    if (this.problem === sentence) return;
    this.problem = sentence;
    this.tell("connection");
  }

  tell(name) {
    for (const run of this.listeners) run(name);
  }
}
