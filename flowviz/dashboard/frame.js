// What stands in a panel's place until the kernel has built it: its title, its sentence, empty cards.

import { make } from "../widgets/stage/dom.js";

/** Milliseconds in which a panel that was open before comes back: it is not worth a frame. */
const SOON = 200;
/** Milliseconds after which a frame makes way for what the kernel has put there, drawn or not. */
const PATIENCE = 3000;

const part = (className, ...content) => make("div", { class: className }, ...content);
const slot = (name) => part(`fv-slot fv-slot-${name}`, part("fv-card"));

/** By the style sheets of the panels that are there already. */
function elementOf({ title, summary, pictures, rows }) {
  const heading = make("h2", { class: "fv-title" }, title);
  // To whoever looks for the panel that is open it is away: it is no panel yet.
  const panel = part(
    "fv fv-panel fv-away",
    part("fv-header", part("fv-head", heading), part("fv-sentences", part("fv-told", summary))),
    part(
      `fv-body fv-${pictures === 2 ? "two" : "one"}`,
      slot("controls"), ...Array.from({ length: pictures }, () => slot("picture")),
      slot("companion"), slot("tabs"),
    ),
    part("fv-run-bar", ...Array.from({ length: rows }, () => part("fv-run-row"))),
  );
  const element = part("fv-frame", panel);
  element.setAttribute("aria-hidden", "true"); // it is told in words
  return element;
}

/** The frame over the place of the panels, in an element of the shell; what it covers rests. */
export class Frame {
  /** @param {Element} shell inside the dashboard. */
  constructor(shell) {
    this.shell = shell;
    this.element = null;
    this.main = null;
    this.timer = 0;
    this.told = make("div", { class: "fv-unseen", role: "status" });
    shell.append(this.told);
  }

  /**
   * Show a panel's frame.
   *
   * @param {{title: string, summary: string, pictures: number, rows: number}} panel rows: of its run bar.
   * @param {boolean} known whether the panel was open before: then only where it does not come soon.
   */
  put(panel, known) {
    this.remove();
    if (known) {
      this.timer = setTimeout(() => this.put(panel, false), SOON);
      return;
    }
    this.main = this.shell.closest(".fv-dash").querySelector(".fv-main");
    this.element = elementOf(panel);
    this.shell.append(this.element);
    this.told.textContent = `${panel.title}. Loading…`;
    this.cover(true);
  }

  /** The kernel has put the panel of that title in its place: make way once it is drawn. */
  giveWay(title) {
    clearTimeout(this.timer);
    const { element } = this;
    const end = performance.now() + PATIENCE;
    const look = () => {
      if (element !== this.element) return;
      if (this.isThere(title) || performance.now() > end) this.remove();
      else requestAnimationFrame(look);
    };
    if (element) look();
  }

  /** Whether the panel of that title is drawn, or it is said why it is not. */
  isThere(title) {
    const panel = this.main.querySelector(".fv-panel:not(.fv-away)");
    if (!panel) return this.main.querySelector(".fv-state:not(.fv-away) [role=alert]") !== null;
    return panel.querySelector(".fv-title")?.textContent === title
      && panel.querySelector(".fv-stage-pixels") !== null;
  }

  remove() {
    clearTimeout(this.timer);
    if (!this.element) return;
    this.element.remove();
    this.element = null;
    this.told.textContent = "";
    this.cover(false);
  }

  /** Whether keys and screen readers pass over what is under it. */
  cover(on) {
    this.main.setAttribute("aria-busy", String(on));
    for (const panel of this.main.children) panel.inert = on;
  }
}
