// At most so many calls a second, of which the newest always comes through.

/**
 * Wraps `call`: at once when it rested, otherwise after `milliseconds` with the newest arguments;
 * a function says how many each time.
 */
export function throttle(call, milliseconds) {
  let timer = 0;
  let waiting = null;
  const open = () => {
    timer = 0;
    if (waiting) run(waiting);
  };
  const run = (args) => {
    waiting = null;
    timer = setTimeout(open, typeof milliseconds === "function" ? milliseconds() : milliseconds);
    call(...args);
  };
  const throttled = (...args) => {
    if (timer) waiting = args;
    else run(args);
  };
  /** Call now, before the time: the end of a drag. */
  throttled.now = (...args) => {
    clearTimeout(timer);
    run(args);
  };
  throttled.cancel = () => {
    clearTimeout(timer);
    timer = 0;
    waiting = null;
  };
  return throttled;
}
