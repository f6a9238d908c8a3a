// What is asked of the server, and what becomes of it when it does not answer.

/** The server has answered that it cannot do this; message is its own sentence. */
export class Refused extends Error {
  constructor(status, told) {
    super(told?.error ?? `the server answers ${status}`);
    this.status = status;
    this.told = told;
  }
}

/** No server has answered. */
export class Unreachable extends Error {
  constructor() {
    super("the explorer's server does not answer");
  }
}

const AGAIN = 1000; // milliseconds until what is being made is asked for again
const listeners = [];
let reachable = true;

/** Call with true and false, whenever the server goes or comes back. */
export function onReachable(listener) {
  listeners.push(listener);
}

/** The answer as JSON. */
export async function getJson(path, signal) {
  return (await ask(path, { signal })).json();
}

/** The answer as JSON, once it has been made; says is called with what is being done until then. */
export async function getMade(path, says, signal) {
  return (await whenReady(path, says, signal)).json();
}

/** The answer as numbers, once they have been made. */
export async function getMadeNumbers(path, kind, says, signal) {
  return new kind(await (await whenReady(path, says, signal)).arrayBuffer());
}

/** The answer to what is told. */
export async function postJson(path, told) {
  const answer = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(told),
  });
  return answer.json();
}

async function whenReady(path, says, signal) {
  for (;;) {
    const answer = await ask(path, { signal });
    if (answer.status !== 202) return answer;
    says(await answer.json());
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
    signal?.throwIfAborted();
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell(false);
    throw new Unreachable();
  }
  tell(true);
  if (answer.ok) return answer;
  let told = null;
  try {
    told = await answer.json();
  } catch {
    // A fault without a sentence is told by its number.
  }
  throw new Refused(answer.status, told);
}

function tell(now) {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener(now);
}
