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
    this.members = new Map(); // listener -> the number of states that it has
    this.request = 0;
    this.before = 0;
  }

  join(listener, frames) {
    this.members.set(listener, frames);
    this.player.setFrames(Math.max(...this.members.values()));
  }

  leave(listener) {
    this.members.delete(listener);
    if (this.members.size > 0) return;
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.player.pause();
    if (registry().get(this.name) === this) registry().delete(this.name);
  }

  /** Change the player, tell everyone; `settled` marks the end of a user's action. */
  act(change, settled = true) {
    change(this.player);
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
    if (moved) this.tell(!this.player.playing);
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
