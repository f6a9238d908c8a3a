// The state stands in the address, so that a link shows the same to others, and "back" goes back.

import { FIRST, fromHash, toHash } from "./state.js";

/** Keep the address and the state of a store the same; legal(state) is what of a state can be shown. */
export function keepAddress(store, legal) {
  store.listen((state, changed, how) => {
    if (how === "address") return;
    const hash = toHash(state);
    const address = `${location.pathname}${hash ? `#${hash}` : ""}`;
    if (address === `${location.pathname}${location.hash}`) return;
    history[how === "push" ? "pushState" : "replaceState"](null, "", address);
  });
  const read = () => store.set(legal({ ...FIRST, ...fromHash(location.hash) }), "address");
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
}
