// The film of a training run: the marks of each moment, unpacked beforehand while the page is idle,
// or when they are first seen.

import { whenIdle } from "./idle.js";
import { unpack } from "./marks.js";

export class Film {
  /** sent: [{step, marks: {kind: [mark, …]}}], as Python sends it. */
  constructor(sent) {
    this.sent = sent ?? [];
    this.unpacked = new Map();
  }

  get length() {
    return this.sent.length;
  }

  /** The training step of each moment. */
  get steps() {
    return this.sent.map(({ step }) => step);
  }

  /** The training step of a moment, as of `marks`. */
  step(moment) {
    return this.sent[Math.min(moment, this.length - 1)]?.step;
  }

  /** {kind: [mark, …]} of a moment, the last where there are fewer; null for −1 and without film. */
  marks(moment) {
    const index = Math.min(moment, this.length - 1);
    if (index < 0) return null;
    if (!this.unpacked.has(index)) this.unpack(index);
    return this.unpacked.get(index);
  }

  unpack(index) {
    const kinds = Object.entries(this.sent[index].marks);
    this.unpacked.set(
      index, Object.fromEntries(kinds.map(([kind, list]) => [kind, unpack(kind, list)])));
  }

  /** Unpack what is not yet, moment by moment, while the page is idle. Returns what ends that. */
  prepare() {
    let index = 0;
    return whenIdle(() => {
      try {
        this.marks(index);
      } catch {
        // Said where it is shown.
      }
      index += 1;
      return index < this.length;
    });
  }
}
