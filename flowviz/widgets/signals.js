// What widgets tell one another in the page, by the name of what happens, without the kernel.

// Every widget imports its own copy of these modules, so what they share lives on the page itself.
const LISTENERS = Symbol.for("flowviz.signals");

function listeners() {
  globalThis[LISTENERS] ??= new Map();
  return globalThis[LISTENERS];
}

/** Hear of what is told under a name; returns what ends that. `listener` says whether it has dealt with it. */
export function hear(name, listener) {
  const all = listeners();
  if (!all.has(name)) all.set(name, new Set());
  all.get(name).add(listener);
  return () => {
    all.get(name)?.delete(listener);
    if (all.get(name)?.size === 0) all.delete(name);
  };
}

/** Tell who listens under a name; whether one of them has dealt with it. */
export function tell(name, ...told) {
  return [...(listeners().get(name) ?? [])].map((listener) => listener(...told)).some(Boolean);
}
