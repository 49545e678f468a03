// The views of the page by their keys, so that other widgets' modules can reach them.

// Every widget imports its own copy of these modules, so what they share lives on the page itself.
const REGISTRY = Symbol.for("flowviz.stages");

function views() {
  globalThis[REGISTRY] ??= new Map();
  return globalThis[REGISTRY];
}

/** Make the view known under its stage's key; returns what takes it out again. */
export function register(key, view) {
  views().set(key, view);
  return () => {
    if (views().get(key) === view) views().delete(key);
  };
}

/** The newest view with that key; undefined if the page shows none. */
export function find(key) {
  return views().get(key);
}
