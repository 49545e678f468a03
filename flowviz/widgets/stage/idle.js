// Work for the time in which the page has nothing else to do.

// Not every browser says when it is idle.
const ask = globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 50));
const cancel = globalThis.cancelIdleCallback ?? clearTimeout;

/** Call `work`, one call for each time that the page is idle, until it returns false. Returns what ends it. */
export function whenIdle(work) {
  let request = 0;
  const next = () => {
    request = ask(() => {
      if (work()) next();
    });
  };
  next();
  return () => cancel(request);
}
