// The marks of a stage whose states the page's own flow makes.

import { indices } from "../stage/palette.js";

/** The sizes of the marks' states that are not the number of states: points, corners, … */
const KINDS = ["particles", "grids", "paths", "shapes"];

export class Carrier {
  /**
   * @param {StageView} view
   * @param {PageFlow} flow
   */
  constructor(view, flow) {
    this.view = view;
    this.flow = flow;
    const carried = view.get("carried");
    /** {mark, way, start}: what is carried, from where. */
    this.marks = KINDS.filter((kind) => carried[kind]).flatMap((kind) =>
      view.scene.own[kind].map((mark) => this.begun(mark, carried[kind])));
    this.handle = view.scene.own.handles[0]?.points[0].slice();
  }

  begun(mark, how) {
    const frames = mark.frames > 1 ? mark.frames : mark.steps ?? 1;
    const size = mark.states.length / frames;
    const from = how === "inverse" ? (frames - 1) * size : 0;
    return {
      mark, how, way: how === "inverse" ? "inverse" : "forward",
      start: mark.states.slice(from, from + size),
    };
  }

  /** Carry all marks anew, with the flow as it is. */
  carryAll() {
    for (const one of this.marks) this.carry(one);
    this.view.redraw();
  }

  /** The handle was moved: what goes with it moves along. */
  follow([x, y]) {
    const [fromX, fromY] = this.handle;
    this.handle = [x, y];
    for (const one of this.marks) {
      if (one.how !== "point") continue;
      for (let i = 0; i < one.start.length; i += 2) {
        one.start[i] += x - fromX;
        one.start[i + 1] += y - fromY;
      }
      this.carry(one);
    }
    this.view.redraw();
  }

  carry({ mark, way, start }) {
    this.flow.carry(way, start, mark.states);
  }

  /** log|det J| of each layer at the handle, of the marks that go with it. */
  contributions() {
    const followed = this.marks.find(({ how }) => how === "point");
    if (!followed) return null;
    const pass = this.flow.pass("forward", followed.start.length / 2);
    return Array.from({ length: pass.count("logabsdet") }, (_, k) => pass.output("logabsdet", k)[0]);
  }
}
