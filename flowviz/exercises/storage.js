// What the browser keeps of a student's answers; where it keeps nothing, nothing is kept.

/** action(localStorage), or null in a private window or a frame that has none. */
export function storage(action) {
  try {
    return action(localStorage);
  } catch {
    return null;
  }
}

/** What is kept at a place, or null. */
export function read(place) {
  return storage((s) => JSON.parse(s.getItem(place)));
}

export function write(place, value) {
  storage((s) => s.setItem(place, JSON.stringify(value)));
}

export function forget(place) {
  storage((s) => s.removeItem(place));
}
