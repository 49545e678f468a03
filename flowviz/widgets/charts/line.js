// The widget's entry: curves with their names at their ends, a cursor, and x reported on a press.

import { throttle } from "../stage/throttle.js";
import { titled } from "./figure.js";
import { Follower } from "./follow.js";
import { fitted } from "./line_layout.js";
import { ChartView } from "./view.js";

/** Presses along a drag are reported so many milliseconds apart. */
const REPORT = 66;
/** An arrow key moves the cursor by such a part of the axis; with Shift by ten of them. */
const KEYED = 0.01;

class LineView extends ChartView {
  constructor(model, el) {
    super(model, el, ["traces", "arrays", "figure_layout"]);
    this.addCursor();
    this.report = throttle((x) => this.model.send({ kind: "click", x }), REPORT);
    const place = () => this.placeCursor();
    this.on("change:cursor change:moments", place);
    this.on("change:clickable", () => this.enable());
    this.follower = new Follower(model, place);
    this.ends.push(() => {
      this.follower.remove();
      this.report.cancel();
    });
    this.enable();
  }

  figure(size, widthOf) {
    const { traces, layout } = super.figure();
    return { traces, layout: fitted(titled(layout, size.width, widthOf), size, widthOf) };
  }

  drawn() {
    this.follower.start();
    this.placeCursor();
  }

  // ---- the cursor ----------------------------------------------------------------------------

  addCursor() {
    this.cursor = document.createElement("div");
    this.cursor.className = "fv-chart-cursor";
    this.cursor.hidden = true;
    this.el.append(this.cursor);
    this.cursor.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("pointerdown", (event) => this.press(event));
  }

  /** Where the line stands: at the film's moment, else where the kernel or the user put it. */
  get standing() {
    const moments = this.get("moments");
    const { moment } = this.follower;
    return moment >= 0 && moment < moments.length ? moments[moment] : this.get("cursor");
  }

  placeCursor() {
    const { xaxis, yaxis } = this.axes;
    const { scale } = this;
    const x = this.standing;
    const along = x == null || !xaxis ? NaN : xaxis.d2p(x);
    this.cursor.hidden = !(along >= -1 && along <= xaxis?._length + 1);
    if (this.cursor.hidden) return;
    Object.assign(this.cursor.style, {
      transform: `translate(${scale * (xaxis._offset + along)}px, ${scale * yaxis._offset}px)`,
      height: `${scale * yaxis._length}px`,
    });
    const [least, most] = [0, xaxis._length].map((end) => xaxis.p2d(end));
    this.cursor.setAttribute("aria-valuemin", least);
    this.cursor.setAttribute("aria-valuemax", most);
    this.cursor.setAttribute("aria-valuenow", x);
    this.cursor.setAttribute("aria-valuetext", Number(x.toPrecision(4)).toLocaleString("en"));
  }

  // ---- what the user does --------------------------------------------------------------------

  enable() {
    const clickable = this.get("clickable");
    this.el.classList.toggle("fv-chart-clickable", clickable);
    if (clickable) {
      this.cursor.setAttribute("role", "slider");
      this.cursor.setAttribute("aria-label", `Position in ${this.get("label").split(":")[0]}`);
      this.cursor.tabIndex = 0;
    } else {
      this.cursor.removeAttribute("role");
      this.cursor.removeAttribute("tabindex");
    }
  }

  press(event) {
    const { xaxis } = this.axes;
    if (!this.get("clickable") || !xaxis || event.button !== 0) return;
    const at = (e) => xaxis.p2d(Math.min(Math.max(this.along(e), 0), xaxis._length));
    this.report.now(at(event));
    const move = (e) => this.report(at(e));
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
    event.preventDefault();
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const { xaxis } = this.axes;
    if (!by || !xaxis || !this.get("clickable")) return;
    const step = by * KEYED * (event.shiftKey ? 10 : 1) * xaxis._length;
    const along = Math.min(Math.max(xaxis.d2p(this.standing) + step, 0), xaxis._length);
    this.report(xaxis.p2d(along));
    event.preventDefault();
    event.stopPropagation(); // the panel's own keys do something else
  }
}

export default {
  render({ model, el }) {
    const view = new LineView(model, el);
    return () => view.remove();
  },
};
