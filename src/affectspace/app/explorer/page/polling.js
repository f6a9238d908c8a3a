// What other people correct comes in while one looks on.

import { getJson } from "./server.js";

const EACH = 3000; // milliseconds

/**
 * Ask every three seconds, while the page is seen; news(entries) is called where there are any, and answered() whenever
 * the server answers at all.
 */
export function pollCorrections(version, news, answered) {
  let since = version;
  let timer = 0;
  let asking = false;
  let again = false; // whether somebody asked while an answer was under way, which may be older than that
  const ask = async () => {
    clearTimeout(timer);
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    if (document.visibilityState === "visible") {
      try {
        const told = await getJson(`/api/corrections?since=${since}`);
        if (told.version !== since || told.entries.length) {
          since = told.version;
          news(told.entries);
        }
        answered();
      } catch {
        // The banner tells that nobody answers; the next asking finds out whether somebody does again.
      }
    }
    asking = false;
    timer = setTimeout(ask, again ? 0 : EACH);
    again = false;
  };
  document.addEventListener("visibilitychange", ask);
  timer = setTimeout(ask, EACH);
  return { now: ask };
}
