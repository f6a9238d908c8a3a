// What somebody says of labels: sent at once, one after the other, and kept until the server has written it.

/** Nothing is sent again that the server has understood; what it has not answered is. */
const KEPT = "affectspace corrections";

/**
 * A queue of corrections {row, old, new, why, undo}.
 *
 * post(entry) sends one: it returns what the server has written, throws an error with a status where the server refuses,
 * and one without where nobody answers. storage is localStorage or its like, key the name of what is explored.
 */
export function makeCorrections({ post, storage, key, saved }) {
  let waiting = read(storage, key); // {id, row, old, new, why, undo, stuck, fault: null or {status, says, latest}}
  const done = []; // what this page has had written, the newest last
  const listeners = [];
  let sending = false;

  const changed = () => {
    write(storage, key, waiting);
    for (const listener of listeners) listener();
  };

  async function send() {
    if (sending) return;
    sending = true;
    for (;;) {
      const entry = waiting.find((each) => !each.fault);
      if (!entry) break;
      try {
        const { id, fault, stuck, ...told } = entry;
        const answer = await post(told);
        waiting = waiting.filter((each) => each !== entry);
        if (entry.undo) done.splice(done.findLastIndex((each) => each.row === entry.row), 1);
        else done.push(told);
        changed();
        saved(told, answer);
      } catch (error) {
        if (error.status) {
          entry.fault = { status: error.status, says: error.message, latest: error.told?.latest ?? null };
          changed();
        } else {
          for (const each of waiting) each.stuck = true; // nobody answers: all wait, in their order
          changed();
          break;
        }
      }
    }
    sending = false;
  }

  return {
    /** What is not written yet. */
    waiting: () => waiting,
    listen: (listener) => listeners.push(listener),
    add(entry) {
      waiting = [...waiting, { id: `${Date.now()}-${Math.random()}`, why: "", undo: false, fault: null, ...entry }];
      changed();
      return send();
    },
    /** The newest correction of this page that can be taken back; undefined where there is none. */
    newest: () => done.at(-1),
    /** Take it back: the label before it is appended to the file. */
    undo() {
      const last = done.at(-1);
      return last ? this.add({ row: last.row, old: last.new, new: last.old, undo: true }) : Promise.resolve();
    },
    /** Send again what nobody has answered, and what was refused. */
    again() {
      waiting = waiting.map((each) => (each.fault && each.fault.status !== 409 ? { ...each, fault: null } : each));
      changed();
      return send();
    },
    /** Go on with what waits, as the server is back. */
    goOn: send,
    /** Forget one that was refused. */
    drop(entry) {
      waiting = waiting.filter((each) => each.id !== entry.id);
      changed();
    },
    /** Say it again over what somebody else has said meanwhile. */
    insist(entry) {
      const old = entry.fault?.latest?.new ?? entry.old;
      waiting = waiting.map((each) => (each.id === entry.id ? { ...each, old, fault: null } : each));
      changed();
      return send();
    },
  };
}

function read(storage, key) {
  try {
    const kept = JSON.parse(storage.getItem(`${KEPT} ${key}`) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => Number.isInteger(each?.row)) : [];
  } catch {
    return []; // a browser may keep nothing, and an old page may have kept something else
  }
}

function write(storage, key, waiting) {
  try {
    if (waiting.length) storage.setItem(`${KEPT} ${key}`, JSON.stringify(waiting));
    else storage.removeItem(`${KEPT} ${key}`);
  } catch {
    // As above: then they are kept until the page is closed.
  }
}
