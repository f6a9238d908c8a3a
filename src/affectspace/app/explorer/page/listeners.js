// Those who are told when something changes.

/** {listen, tell}: listen(listener) returns what ends it, and tell(...) calls all who listen. */
export function makeListeners() {
  const all = new Set();
  return {
    listen(listener) {
      all.add(listener);
      return () => all.delete(listener);
    },
    tell(...told) {
      for (const each of all) each(...told);
    },
  };
}
