// What stands of all that was said of an item: judgements that nobody has taken back.

/** The judgements of a history that stand, in their order; one that takes back is said of the one before it. */
export function standing(history) {
  const own = [];
  for (const each of history) {
    if (each.undo) own.pop();
    else own.push(each);
  }
  return own;
}

/** What was done to the label of an item: "corrected", "confirmed" or "left out"; null where nothing stands. */
export function stateOf(history) {
  const own = standing(history);
  if (!own.length) return null;
  if (own.at(-1).new === "") return "left out";
  return own.at(-1).new === own[0].old ? "confirmed" : "corrected";
}
