// A value that several parts of the page look at and that is no part of the address.

/** {get, set, listen}; those who listen are told of changes only. */
export function makeShared(first) {
  let value = first;
  const listeners = [];
  return {
    get: () => value,
    listen: (listener) => listeners.push(listener),
    set(next) {
      if (next === value) return;
      value = next;
      for (const listener of listeners) listener(value);
    },
  };
}
