// The modes of a target as handles on the pictures of a page of its own: dragged, they make another
// target, as in mode_handles.py.

import { make } from "../stage/dom.js";

export class Modes {
  /**
   * @param {Live} live what is trained on the target; its views say which of their handles are modes.
   */
  constructor(live) {
    this.live = live;
    this.request = 0;
    this.back = make("button", { type: "button", click: () => this.putBack() }, "Modes back");
    this.element = make("p", { class: "fv-stage-modes" }, this.back);
    this.show();
  }

  get target() {
    return this.live.training.target;
  }

  /** The user has a mode at a place. */
  move(index, place) {
    const { live, target } = this;
    const before = target.entropy;
    const there = target.move(index, place);
    live.page.refuse(there ? "" : "A mode stays where the picture holds its mass.");
    this.moved(before);
  }

  putBack() {
    const before = this.target.entropy;
    this.target.putBack();
    this.live.page.refuse("");
    this.moved(before);
  }

  moved(before) {
    this.live.training.follow(before);
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.show();
      this.live.holdToTarget();
    });
  }

  /** Put the handles where the modes are; none where there are no modes. */
  show() {
    const { target } = this;
    const points = target.movable ? target.modes : [];
    const labels = points.map((_, i) => String(i + 1));
    const handles = points.length ? [{ points, labels, shape: "knot", noun: "mode" }] : [];
    for (const { model } of this.live.page.views) {
      model.set("handles", handles.map((mark) => ({ ...mark, points: points.map((p) => [...p]) })));
    }
    this.element.hidden = !target.moved;
  }
}
