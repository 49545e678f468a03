// One player for all the stages that name the same clock, and the page's frames that drive it.

import { Player } from "./player.js";

// Every widget imports its own copy of these modules, so what they share lives on the page itself.
const REGISTRY = Symbol.for("flowviz.clocks");

function registry() {
  globalThis[REGISTRY] ??= new Map();
  return globalThis[REGISTRY];
}

/** Drives a Player by requestAnimationFrame and tells its members; idle while paused. */
export class Clock {
  constructor(name = "") {
    this.name = name;
    this.player = new Player();
    this.members = new Map(); // listener -> how many states and moments it has
    this.led = false; // whether it goes by the settings of a stage already
    this.request = 0;
    this.before = 0;
    this.untold = false; // whether the next frame has something to tell of
  }

  /** Hear of every change; `frames` states and a film of `moments`, 1 and 0 for who has none. */
  join(listener, frames, moments = 0) {
    const others = [...this.members.keys()].filter((member) => member !== listener);
    const before = this.player.last;
    this.members.set(listener, { frames, moments });
    const members = [...this.members.values()];
    this.player.setFrames(Math.max(...members.map((member) => member.frames)));
    this.player.setMoments(Math.max(...members.map((member) => member.moments)));
    if (this.player.last === before) return;
    // Who was here before shows how many states there are.
    for (const hear of others) hear(this.player, false);
  }

  leave(listener) {
    this.members.delete(listener);
    if (this.members.size > 0) return;
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.player.pause();
    if (registry().get(this.name) === this) registry().delete(this.name);
  }

  /**
   * Change the player, tell everyone; `settled` marks the end of a user's action. What happens
   * within one while it plays is told with the page's next frame, so that all is drawn once.
   */
  act(change, settled = true) {
    change(this.player);
    this.untold = this.player.playing && this.request !== 0 && !settled;
    if (this.untold) return;
    this.tell(settled);
    if (this.player.playing && this.request === 0) {
      this.before = performance.now();
      this.request = requestAnimationFrame((now) => this.frame(now));
    }
  }

  frame(now) {
    this.request = 0;
    const elapsed = Math.max(now - this.before, 0);
    this.before = Math.max(now, this.before);
    const moved = this.player.advance(elapsed);
    if (this.player.playing) this.request = requestAnimationFrame((next) => this.frame(next));
    if (moved || this.untold) this.tell(!this.player.playing);
    this.untold = false;
  }

  tell(settled) {
    for (const listener of [...this.members.keys()]) listener(this.player, settled);
  }
}

/** The clock of that name on this page; the empty name is always a new one. */
export function clockFor(name) {
  if (!name) return new Clock();
  if (!registry().has(name)) registry().set(name, new Clock(name));
  return registry().get(name);
}
