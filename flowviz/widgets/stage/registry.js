// The stages of the page by their keys, so that other widgets' modules can reach their views.

// Every widget imports its own copy of these modules, so what they share lives on the page itself.
const REGISTRY = Symbol.for("flowviz.stages");

function stages() {
  globalThis[REGISTRY] ??= new Map();
  return globalThis[REGISTRY];
}

/** Make the view known under its stage's key; returns what takes it out again. */
export function register(key, view) {
  stages().set(key, view);
  return () => {
    if (stages().get(key) === view) stages().delete(key);
  };
}

/** The newest view of the stage with that key; undefined if the page shows none. */
export function find(key) {
  return stages().get(key);
}
