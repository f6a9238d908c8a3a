// What somebody says of labels: sent at once, one after the other, and kept until the server has written it.

const KEPT = "affectspace corrections";

/**
 * A queue of corrections {row, name, old, new, why, undo}; name is the item's id, by which the server knows it.
 *
 * post(entry) sends one: it returns what the server has written, throws an error with a status where the server refuses,
 * and one without where nobody answers, or an answer breaks off. storage is localStorage or its like, key the name of what is explored;
 * saved(entry, answer) is called for each that was written, outdated(entry, history) where others have decided meanwhile,
 * and agreed(entry, other) where one of them has decided the same. Each is kept by itself, so that what two pages of one server could not send is kept for both.
 */
export function makeCorrections({ post, storage, key, by, saved, outdated = () => {}, agreed = () => {} }) {
  const prefix = `${KEPT} ${encodeURIComponent(key)} `;
  let made = 0;
  let waiting = read(storage, prefix); // {id, row, old, new, why, undo, name, stuck, fault: null or {status, at, says, history, label}}
  const said = waiting.filter((each) => !each.undo); // what was said here and not taken back, the newest last
  const listeners = [];
  let sending = null; // the one that is under way

  const changed = () => {
    for (const each of waiting) write(storage, prefix + each.id, JSON.stringify(each));
    for (const listener of listeners) listener();
  };
  const forget = (entry) => {
    waiting = waiting.filter((each) => each.id !== entry.id);
    write(storage, prefix + entry.id, null);
  };

  async function send() {
    if (sending) return;
    while ((sending = waiting.find((each) => !each.fault) ?? null)) {
      const entry = sending;
      try {
        const answer = await post(entry);
        forget(entry);
        heard(entry, answer);
        changed();
        saved(entry, answer);
      } catch (error) {
        if (!error.status) {
          for (const each of waiting) each.stuck = true; // nobody answers: all wait, in their order, until goOn
          sending = null;
          changed();
          return;
        }
        const { history = [], label } = error.told ?? {};
        if (error.status === 409 && label === entry.new && (entry.undo || label !== entry.old)) agree(entry, history.at(-1));
        else entry.fault = { status: error.status, at: Date.now(), says: error.message, history, label };
        changed();
        if (error.status === 409) outdated(entry, error.told?.history ?? []);
      }
    }
  }

  /** The server has one of the same person that says the same: there is one to be taken back, from the label before it. */
  function heard(entry, answer) {
    if (!answer.before || entry.undo) return;
    entry.old = answer.entry.old;
    const back = waiting.find((each) => each.row === entry.row); // struck before the answer came
    if (back?.undo) back.new = entry.old;
    const earlier = said.findLast((each) => each !== entry && each.row === entry.row);
    if (earlier?.new === entry.new) unsay(entry);
  }

  /** What was said holds already: of a class both opinions are kept; what is left out, or taken back, is so already. */
  function agree(entry, other) {
    if (other && other.by !== by) agreed(entry, other);
    if (!entry.undo && entry.new !== "") {
      entry.old = entry.new;
      return;
    }
    forget(entry);
    unsay(entry);
  }

  function unsay(entry) {
    const at = said.indexOf(entry);
    if (at >= 0) said.splice(at, 1);
  }

  function add(told) {
    // Sorted by their ids, they stand in the order in which they were said.
    const entry = { id: `${Date.now()}-${String(made++).padStart(6, "0")}-${Math.random()}`, why: "", undo: false, fault: null, ...told };
    waiting = [...waiting, entry];
    if (!entry.undo) said.push(entry);
    changed();
    return send();
  }

  return {
    /** What is not written yet. */
    waiting: () => waiting,
    listen: (listener) => listeners.push(listener),
    add,
    /** The newest thing said that can be taken back; undefined where there is none. */
    newest: () => said.at(-1),
    /** Take one back: it is not sent where it was not yet, and else the label before it is appended to the file. */
    undo(last) {
      unsay(last);
      if (last !== sending && waiting.includes(last)) {
        forget(last);
        changed();
        return Promise.resolve();
      }
      return add({ row: last.row, old: last.new, new: last.old, undo: true, name: last.name });
    },
    /** Send again what nobody has answered, and what was refused. */
    again() {
      for (const each of waiting) if (each.fault?.status !== 409) each.fault = null;
      changed();
      return send();
    },
    /** Go on with what waits, as the server answers. */
    goOn: send,
    /** Forget one that was refused. */
    drop(entry) {
      forget(entry);
      unsay(entry); // it was never written, so there is nothing to be taken back
      changed();
    },
    /** Say it again over what somebody else has said meanwhile, or over what holds since others' words were taken away. */
    insist(entry) {
      entry.old = entry.fault?.label ?? entry.old;
      entry.undo = false; // what others have said since is no judgement of one's own to take back
      entry.fault = null;
      changed();
      return send();
    },
  };
}

function read(storage, prefix) {
  try {
    const kept = Object.keys(storage).filter((each) => each.startsWith(prefix)).sort();
    return kept.map((each) => JSON.parse(storage.getItem(each))).filter((each) => Number.isInteger(each?.row) && typeof each.name === "string");
  } catch {
    return []; // a browser may keep nothing, and an old page may have kept something else
  }
}

function write(storage, key, text) {
  try {
    if (text === null) storage.removeItem(key);
    else storage.setItem(key, text);
  } catch {
    // As above: then they are kept until the page is closed.
  }
}
