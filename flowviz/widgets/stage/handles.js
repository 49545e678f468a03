// Handles: points that one drags with the mouse, a finger or the arrow keys.

import { label } from "./axes.js";
import { make } from "./dom.js";
import { placedLabels } from "./labels.js";

/** The radius of a handle's ring, in css pixels on a picture that is not grown. */
export const RING = 6;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Handles {
  /** moved(set, index, [x, y], done): the user moved a handle. view(): the present mapping. */
  constructor({ moved, view }) {
    this.moved = moved;
    this.view = view;
    this.held = null; // {set, index} while it is dragged or moved by keys
    this.element = make("div", { class: "fv-stage-handles" });
    this.buttons = [];
    this.sizes = new Map(); // of labels, by their texts
  }

  /** Show the handles of these marks; elements are kept, so that focus and drags go on. */
  show(marks) {
    const wanted = marks.map((mark) => mark.points.length).join();
    if (this.wanted !== wanted) {
      this.wanted = wanted;
      this.buttons = marks.map((mark, set) => mark.points.map((_, index) => this.make(set, index)));
      this.element.replaceChildren(...this.buttons.flat());
    }
    marks.forEach((mark, set) => mark.points.forEach((_, index) => this.place(marks, set, index)));
    this.marks = marks;
    this.placeLabels();
  }

  /** No label on another, nor on a handle. */
  placeLabels() {
    const view = this.view();
    const shown = this.buttons.flat().filter((button) => !button.hidden);
    const places = this.marks.flatMap((mark) => mark.points).filter(([x, y]) => Number.isFinite(x + y));
    const points = places.map(([x, y], i) => ({
      x: view.x(x), y: view.y(y), ring: RING * view.grown, ...this.sizeOf(shown[i].querySelector("span")),
    }));
    placedLabels(points, view.plot).forEach(({ side }, i) => { shown[i].dataset.side = side; });
  }

  /** The size of a label; measured once, so that no frame waits for the page's layout. */
  sizeOf(span) {
    const text = span.textContent;
    if (!this.sizes.has(text)) {
      const { offsetWidth: width, offsetHeight: height } = span;
      if (text && width === 0) return { width, height }; // not on the page yet
      this.sizes.set(text, { width, height });
    }
    return this.sizes.get(text);
  }

  /** The type may be another now. */
  resized() {
    this.sizes.clear();
  }

  place(marks, set, index) {
    const { points, labels, shape, noun } = marks[set];
    const [x, y] = points[index];
    const view = this.view();
    const button = this.buttons[set][index];
    button.hidden = !Number.isFinite(x + y);
    button.style.transform = `translate(${view.x(x)}px, ${view.y(y)}px)`;
    // In parts of the picture, for print.
    button.style.setProperty("--fv-x", `${(100 * view.x(x)) / view.width}%`);
    button.style.setProperty("--fv-y", `${(100 * view.y(y)) / view.height}%`);
    button.dataset.shape = shape;
    const name = [noun, labels[index] || `handle ${index + 1}`].filter(Boolean).join(" ");
    button.setAttribute("aria-label", `${name} at ${label(x)}, ${label(y)}; arrow keys move it`);
    button.querySelector("span").textContent = labels[index] ?? "";
  }

  make(set, index) {
    let offset = [0, 0];
    const at = (event) => {
      const box = this.element.getBoundingClientRect();
      const view = this.view();
      return [
        view.dataX(event.clientX - box.left + offset[0]),
        view.dataY(event.clientY - box.top + offset[1]),
      ];
    };
    const button = make(
      "button",
      {
        type: "button", class: "fv-stage-handle", "aria-roledescription": "handle",
        pointerdown: (event) => {
          event.preventDefault();
          event.stopPropagation();
          button.focus();
          button.setPointerCapture(event.pointerId);
          const box = this.element.getBoundingClientRect();
          const [x, y] = this.marks[set].points[index];
          const view = this.view();
          offset = [
            view.x(x) - (event.clientX - box.left), view.y(y) - (event.clientY - box.top),
          ];
          this.held = { set, index };
        },
        pointermove: (event) => {
          if (this.holds(set, index)) this.moved(set, index, this.inside(at(event)), false);
        },
        pointerup: () => this.release(set, index),
        pointercancel: () => this.release(set, index),
        lostpointercapture: () => this.release(set, index),
        keydown: (event) => {
          const arrow = ARROWS[event.key];
          if (!arrow) return;
          event.preventDefault();
          event.stopPropagation();
          const [xmin, xmax, ymin, ymax] = this.view().window;
          const step = event.shiftKey ? 0.1 : 0.01;
          const [x, y] = this.marks[set].points[index];
          this.held = { set, index };
          const to = [x + arrow[0] * step * (xmax - xmin), y + arrow[1] * step * (ymax - ymin)];
          this.moved(set, index, this.inside(to), false);
        },
        keyup: (event) => {
          if (ARROWS[event.key]) this.release(set, index);
        },
        blur: () => this.release(set, index),
      },
      make("span"),
    );
    return button;
  }

  holds(set, index) {
    return this.held?.set === set && this.held?.index === index;
  }

  release(set, index) {
    if (!this.holds(set, index)) return;
    this.held = null;
    this.moved(set, index, this.marks[set].points[index], true);
  }

  inside([x, y]) {
    const [xmin, xmax, ymin, ymax] = this.view().window;
    return [Math.min(Math.max(x, xmin), xmax), Math.min(Math.max(y, ymin), ymax)];
  }
}
