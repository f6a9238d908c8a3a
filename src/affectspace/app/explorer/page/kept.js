// What somebody has chosen for this browser, kept until they choose otherwise.

/** What is kept under a name; null where nothing is. */
export function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // a browser may keep nothing
  }
}

/** Keep a text under a name; null forgets it. */
export function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // As above: then it holds until the page is closed.
  }
}
