// A value that several parts of the page look at and that is no part of the address.

import { makeListeners } from "./listeners.js";

/** {get, set, listen}; those who listen are told of changes only, until they call what listen has returned. */
export function makeShared(first) {
  let value = first;
  const { listen, tell } = makeListeners();
  return {
    get: () => value,
    listen,
    set(next) {
      if (next === value) return;
      value = next;
      tell(value);
    },
  };
}
