// Where a page keeps what it knows of its class.

/**
 * The browser's storage of that name ("localStorage", "sessionStorage"); where it is forbidden, one
 * that lasts as long as the page.
 */
export function storage(name) {
  try {
    globalThis[name].getItem("");
    return globalThis[name];
  } catch {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, text) => kept.set(key, text),
      removeItem: (key) => kept.delete(key),
    };
  }
}
