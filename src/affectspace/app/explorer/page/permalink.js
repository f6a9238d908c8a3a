// The state stands in the address, so that a link shows the same to others, and "back" goes back.

import { fromHash, toHash } from "./state.js";

/** Keep the address and the state of a store the same; first is what is shown at first, legal(state) what of a state can be. */
export function keepAddress(store, first, legal) {
  store.listen((state, changed, how) => {
    if (how === "address") return;
    const hash = toHash(state, first);
    const address = `${location.pathname}${hash ? `#${hash}` : ""}`;
    if (address === `${location.pathname}${location.hash}`) return;
    history[how === "push" ? "pushState" : "replaceState"](null, "", address);
  });
  const read = () => store.set(legal(fromHash(location.hash, first)), "address");
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
}
