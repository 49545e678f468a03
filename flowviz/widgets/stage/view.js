// One view of a Stage: its elements, its drawing, and what passes between it and the model.

import { clockFor } from "./clock.js";
import { freshId, icon, make } from "./dom.js";
import { download, fileName, png, standalonePage } from "./export.js";
import { Handles } from "./handles.js";
import { Interaction, playerKey } from "./interaction.js";
import { legendWords, legends } from "./legend.js";
import { KINDS } from "./marks.js";
import { palettes } from "./palette.js";
import { Picture, viewOf } from "./picture.js";
import { Scene } from "./scene.js";
import { Strip } from "./strip.js";
import { readTheme, watchTheme } from "./theme.js";
import { throttle } from "./throttle.js";
import { Transport, carried, whereabouts } from "./transport.js";

/** The traits that the clock of the stage goes by. */
const CLOCKWORK = ["speed", "loop", "direction", "stretches"];

const SAVE = "M7 2h2v6h2.6L8 11.6 4.4 8H7zM2.5 12.5h11V14h-11z";
const UNDO = "M6 3v2.4h3.2a4 4 0 1 1 0 8H5v-1.6h4.2a2.4 2.4 0 1 0 0-4.8H6v2.4L2.4 6.2z";
const CLEAR = "M4.2 3 8 6.8 11.8 3 13 4.2 9.2 8l3.8 3.8-1.2 1.2L8 9.2 4.2 13 3 11.8 6.8 8 3 4.2z";

export class StageView {
  constructor(model, parent) {
    this.model = model;
    this.scene = new Scene();
    this.ends = []; // what undoes everything, for remove()
    this.problems = new Map(); // what cannot be drawn, by its cause
    this.request = 0;
    this.seen = true;
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.build();
    parent.append(this.root);
    this.listen();
    this.unpackAll();
    this.joinClock();
    this.refreshTheme();
    this.texts();
    this.resize();
    this.settle(false);
  }

  get(name) {
    return this.model.get(name);
  }

  /** Tell the kernel; equal values send nothing. */
  send(changes) {
    let changed = false;
    for (const [name, value] of Object.entries(changes)) {
      if (Object.is(this.get(name), value)) continue;
      this.model.set(name, value);
      changed = true;
    }
    if (changed) this.model.save_changes();
  }

  // ---- elements ------------------------------------------------------------------------------

  build() {
    const tool = (path, name, text, click) =>
      make("button", { type: "button", title: name, "aria-label": name, click }, icon(path), text);
    this.heading = make("span", { class: "fv-stage-title" });
    this.undo = tool(UNDO, "Undo", "", () => this.interaction.undo());
    this.clear = tool(CLEAR, "Clear the drawing", "", () => this.interaction.clear());
    this.tools = make(
      "div", { class: "fv-stage-tools", role: "group", "aria-label": "Drawing and saving" },
      this.undo, this.clear,
      tool(SAVE, "Save this picture as PNG", "PNG", () => this.savePng()),
    );
    if (this.get("_esm")) {
      this.tools.append(tool(SAVE, "Save as a page that plays by itself", "HTML",
        () => this.saveHtml()));
    }
    this.picture = new Picture();
    this.cursor = make("div", { class: "fv-stage-cursor", hidden: true, "aria-hidden": "true" });
    this.words = make("div", { class: "fv-stage-words", hidden: true });
    this.note = make("div", { class: "fv-stage-note", hidden: true });
    this.handles = new Handles({
      moved: (...change) => this.handleMoved(...change),
      view: () => this.mapping(),
    });
    const summary = freshId();
    this.summary = make("div", { id: summary, class: "fv-stage-hidden", "aria-live": "polite" });
    this.plot = make(
      "div",
      { class: "fv-stage-plot", tabindex: 0, role: "application", "aria-describedby": summary,
        "aria-roledescription": "animated picture" },
      this.picture.pixels, this.picture.marks, this.cursor, this.handles.element, this.note,
      this.words,
    );
    this.picture.pixels.setAttribute("role", "img");
    this.strip = new Strip({ jump: (state) => this.act((p) => { p.pause(); p.seek(state); }) });
    this.transport = new Transport({
      act: (change, settled) => this.act(change, settled),
      onKey: (event) => {
        if (!playerKey(event.key, (change) => this.act(change))) return;
        event.preventDefault();
        event.stopPropagation();
      },
      turn: () => this.turn(),
    });
    this.root = make(
      "div", { class: "fv fv-stage", "data-lm-suppress-shortcuts": "true" },
      make("div", { class: "fv-stage-head" }, this.heading, this.strip.legend, this.tools),
      this.plot, this.strip.element, this.transport.element, this.summary,
    );
    this.interaction = new Interaction(this);
    this.ends.push(() => this.interaction.remove());
    this.sendDrag = throttle((...change) => this.sendHandles(...change), 16);
    this.sendProbe = throttle((x, y) => this.send({ probe: [x, y] }), 67);
    this.sendPosition = throttle((changes) => this.send(changes), 100);
    this.ends.push(() => {
      for (const later of [this.sendDrag, this.sendProbe, this.sendPosition]) later.cancel();
    });
  }

  /** Titles, visibility of parts, sizes: all that is not drawn. */
  texts() {
    const title = this.get("title");
    const description = this.get("description");
    const drawing = this.get("drawing") === "points";
    this.heading.textContent = title;
    this.plot.setAttribute("aria-label", title || description || "Stage");
    this.picture.pixels.setAttribute("aria-label", description || title || "Stage");
    this.undo.hidden = this.clear.hidden = !drawing;
    this.offerDrawingTools();
    this.tools.classList.toggle("fv-stage-always", drawing);
    const strip = this.get("strip");
    this.plot.hidden = strip;
    this.strip.element.hidden = !strip;
    if (!strip) this.strip.legend.hidden = true;
    this.transport.element.hidden = !this.get("transport") || this.scene.frames < 2;
    this.root.style.maxWidth = this.get("max_width") > 0 ? `${this.get("max_width")}px` : "none";
    const pointing = drawing || this.get("probing") || this.get("picking");
    this.plot.classList.toggle("fv-stage-pointing", pointing);
    this.plot.classList.toggle("fv-stage-still", !drawing && !this.get("probing"));
  }

  // ---- listening -----------------------------------------------------------------------------

  listen() {
    const on = (event, listener) => {
      this.model.on(event, listener);
      this.ends.push(() => this.model.off(event, listener));
    };
    for (const kind of KINDS) {
      on(`change:${kind}`, () => {
        this.unpack(kind);
        this.framesChanged();
      });
    }
    const laidOut = () => {
      this.texts();
      this.resize();
    };
    for (const name of ["title", "description", "drawing", "probing", "picking", "transport"]) {
      on(`change:${name}`, () => this.texts());
    }
    for (const name of ["window", "strip", "axes", "max_width"]) on(`change:${name}`, laidOut);
    for (const name of ["state_names", "readout", "stretches"]) on(`change:${name}`, () => this.settle(false));
    on("change:picked", () => {
      this.scene.picked = this.get("picked");
      this.redraw();
    });
    on("change:drawn", () => {
      if (this.ownDrawing) return;
      this.interaction.remember();
      this.unpackDrawn();
      this.drawnChanged(false);
    });
    on("change:position", () => {
      const position = this.get("position");
      // One message may bring a position before the states that it lies among.
      this.wanted = position > this.player.last ? position : null;
      if (Math.abs(position - this.player.position) < 1e-9) return;
      this.clock.act((p) => p.seek(position), false);
    });
    on("change:playing", () => {
      if (this.get("playing") === this.player.playing) return;
      this.clock.act((p) => (this.get("playing") ? p.play() : p.pause()), false);
    });
    for (const name of CLOCKWORK) {
      on(`change:${name}`, () => this.clock.act((p) => { p[name] = this.get(name); }, false));
    }
    on("change:clock", () => {
      this.clock.leave(this.heard);
      this.joinClock();
      this.settle(false);
    });
    this.ends.push(watchTheme(this.root, () => this.refreshTheme()));
    const presented = (event) => this.keyWhilePresenting(event);
    document.addEventListener("keydown", presented);
    this.ends.push(() => document.removeEventListener("keydown", presented));
    const sized = new ResizeObserver(() => this.resize());
    sized.observe(this.root);
    const sighted = new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen && this.missed) this.redraw();
    });
    sighted.observe(this.root);
    const calm = () => { this.player.tweening = !this.reduced.matches; };
    this.reduced.addEventListener("change", calm);
    this.ends.push(() => {
      sized.disconnect();
      sighted.disconnect();
      this.reduced.removeEventListener("change", calm);
    });
  }

  joinClock() {
    this.clock = clockFor(this.get("clock"));
    const fresh = this.clock.members.size === 0;
    this.heard = (player, settled) => this.hear(player, settled);
    this.clock.join(this.heard, this.scene.frames);
    const { player } = this.clock;
    player.tweening = !this.reduced.matches;
    // Who joins a clock that runs already goes by it.
    if (!fresh) return;
    for (const name of CLOCKWORK) player[name] = this.get(name);
    player.seek(this.get("position"));
    if (this.get("playing") && !this.reduced.matches) this.clock.act((p) => p.play(), false);
  }

  get player() {
    return this.clock.player;
  }

  remove() {
    this.clock.leave(this.heard);
    cancelAnimationFrame(this.request);
    for (const end of this.ends) end();
    this.root.remove();
  }

  // ---- playing -------------------------------------------------------------------------------

  act(change, settled = true) {
    this.wanted = null;
    this.clock.act(change, settled);
  }

  turn() {
    this.act((p) => { p.direction = p.direction === "inverse" ? "forward" : "inverse"; });
  }

  /** The clock moved. */
  hear(player, settled) {
    if (this.seen) this.draw(player.playing);
    else this.missed = true;
    this.showPosition();
    if (settled) this.settle(true);
  }

  showPosition() {
    this.transport.update(this.player, this.get("state_names"), this.get("readout"));
    if (this.get("strip")) this.strip.mark(this.player.position);
  }

  /** After a change: text in line; and, after the user's own, the kernel in line. */
  settle(tell) {
    this.showPosition();
    this.summary.textContent = this.summarise();
    const { playing, position, direction } = this.player;
    // While it plays the kernel hears nothing but that it does.
    const news = playing ? { playing, direction } : { playing, direction, position };
    if (tell) this.sendPosition(news);
  }

  framesChanged() {
    this.clock.join(this.heard, this.scene.frames);
    if (this.wanted != null && this.wanted <= this.player.last) {
      const position = this.wanted;
      this.wanted = null;
      this.clock.act((p) => p.seek(position), false);
    }
    this.texts();
    this.settle(false);
    this.redraw();
  }

  // ---- data ----------------------------------------------------------------------------------

  unpackAll() {
    for (const kind of KINDS) this.unpack(kind);
    this.unpackDrawn();
    this.scene.picked = this.get("picked");
  }

  unpack(kind) {
    const held = kind === "handles" ? this.handles.held : null;
    const place = () => this.scene.marks.handles[held.set]?.points;
    const kept = held && place()?.[held.index];
    this.attempt(kind, () => this.scene.set(kind, this.get(kind)));
    // What the user holds stays under the finger.
    if (kept && place()?.[held.index]) place()[held.index] = kept;
  }

  unpackDrawn() {
    const sent = this.get("drawn");
    if (!sent || sent.byteLength === 0) this.scene.drawn.length = 0;
    else {
      const bytes = new Uint8Array(sent.buffer ?? sent, sent.byteOffset ?? 0, sent.byteLength);
      this.scene.drawn = Array.from(new Float32Array(bytes.slice().buffer));
    }
  }

  /** Do it, and where it fails say so on the stage instead of leaving a blank. */
  attempt(cause, action) {
    try {
      action();
      this.problems.delete(cause);
    } catch (error) {
      this.problems.set(cause, `The ${cause} cannot be drawn: ${error.message}`);
    }
  }

  // ---- drawing -------------------------------------------------------------------------------

  /** On a projector the player's keys work wherever the focus is, save where one types. */
  keyWhilePresenting(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!this.get("transport") || !this.root.checkVisibility()) return;
    if (!this.root.closest(".fv-present, .fv-presenting")) return;
    if (event.target.closest?.("input, textarea, select, button, [role=application]")) return;
    if (playerKey(event.key, (change) => this.act(change))) event.preventDefault();
  }

  refreshTheme() {
    this.attempt("theme", () => {
      this.theme = readTheme(this.root);
      this.tables = palettes(this.theme);
      const key = JSON.stringify(this.theme);
      if (key === this.themeKey) return;
      this.themeKey = key;
      this.redraw();
    });
  }

  resize() {
    const window = this.get("window");
    if (this.get("strip")) {
      this.setStrip();
      this.strip.resize(window);
    } else {
      const width = this.plot.clientWidth;
      if (width === 0) return;
      const ratio = globalThis.devicePixelRatio;
      const key = [width, ratio, this.get("axes"), ...window].join();
      if (key === this.sizeKey) return;
      this.sizeKey = key;
      const height = this.picture.resize(width, window, this.get("axes"));
      this.plot.style.height = `${height}px`;
      const { plot } = this.picture.layout;
      Object.assign(this.note.style, { left: `${plot.left + 6}px`, top: `${plot.top + 6}px` });
    }
    this.draw(this.player.playing);
  }

  /** Draw with the page's next frame; data and theme are taken anew. */
  redraw() {
    this.picture.stale();
    this.strip.current = false;
    if (this.request) return;
    this.request = requestAnimationFrame(() => {
      this.request = 0;
      if (this.seen) this.draw(this.player.playing);
      else this.missed = true;
    });
  }

  draw(moving) {
    this.missed = false;
    if (!this.tables) return this.say();
    const { scene, theme, tables } = this;
    const { position } = this.player;
    this.attempt("picture", () => {
      if (this.get("strip")) this.drawStrip();
      else if (this.picture.layout) {
        this.picture.draw(scene, position, theme, tables, moving);
        this.handles.show(scene.marks.handles);
      }
    });
    this.say();
  }

  drawStrip() {
    if (this.setStrip()) this.strip.resize(this.get("window"));
    this.strip.draw(this.scene, this.theme, this.tables);
    this.strip.mark(this.player.position);
  }

  /** Whether the strip has other thumbnails now. */
  setStrip() {
    return this.strip.setFrames(
      this.scene.frames, this.get("state_names"), this.get("stretches"),
    );
  }

  /** Words in place of a picture that cannot be, and a note on what is missing from it. */
  say() {
    const { particles } = this.scene.marks;
    const drawing = this.get("drawing") === "points";
    const count = particles.reduce((sum, mark) => sum + mark.count, 0);
    const missing = particles.reduce((sum, mark) => sum + mark.missing, 0);
    let words = [...this.problems.values()].join("\n");
    if (!words && this.scene.empty) words = drawing ? "Draw points here" : "Nothing to show yet";
    if (!words && count > 0 && missing === count) {
      words = "None of the points is finite, so none can be drawn.";
    }
    this.words.hidden = !words;
    this.words.textContent = words;
    this.words.classList.toggle("fv-stage-problem", this.problems.size > 0);
    this.note.hidden = missing === 0 || missing === count;
    this.note.textContent = `${missing} of ${count} points are not finite and not drawn`;
  }

  summarise() {
    const { marks, frames } = this.scene;
    const parts = [];
    if (frames > 1) {
      const names = this.get("state_names");
      parts.push(whereabouts(this.player.position, frames - 1, names, this.get("stretches")));
    }
    parts.push(carried(this.get("readout"), this.player.position));
    for (const mark of marks.particles) {
      parts.push(`${mark.count.toLocaleString("en")} ${mark.label || "points"}`);
    }
    for (const mark of marks.grids) parts.push(`a grid of ${mark.rows} by ${mark.columns} lines`);
    for (const mark of marks.images) parts.push(mark.label || "a density");
    for (const mark of marks.contours) parts.push(mark.label || "contours");
    for (const mark of legends(this.scene)) parts.push(legendWords(mark));
    return `${parts.filter(Boolean).join(". ")}.`;
  }

  // ---- what the user does on the plot --------------------------------------------------------

  /** The mapping between data and css pixels of the plot's element. */
  mapping() {
    const { window, plot } = this.picture.layout;
    return viewOf(window, plot, 1);
  }

  view() {
    return this.mapping();
  }

  mode() {
    return {
      drawing: this.get("drawing") === "points",
      picking: this.get("picking"),
      probing: this.get("probing"),
      still: this.scene.frames < 2,
    };
  }

  showCursor(x, y) {
    const view = this.mapping();
    this.cursor.hidden = false;
    this.cursor.style.transform = `translate(${view.x(x)}px, ${view.y(y)}px)`;
  }

  cursorMoved(x, y, words) {
    this.showCursor(x, y);
    this.summary.textContent = `cursor at ${words}`;
  }

  probed(x, y) {
    this.showCursor(x, y);
    this.sendProbe(x, y);
  }

  pick(x, y, reach) {
    const picked = this.scene.nearest(x, y, reach, this.player.position);
    this.scene.picked = picked;
    this.send({ picked });
    this.redraw();
  }

  /** Undo and clear, as far as there is something to undo or to clear. */
  offerDrawingTools() {
    this.undo.disabled = this.interaction.past.length === 0;
    this.clear.disabled = this.scene.drawn.length === 0;
  }

  drawnChanged(finished) {
    this.redraw();
    this.offerDrawingTools();
    if (!finished) return;
    this.ownDrawing = true;
    this.send({ drawn: new DataView(Float32Array.from(this.scene.drawn).buffer) });
    this.ownDrawing = false;
  }

  handleMoved(set, index, point, done) {
    this.scene.marks.handles[set].points[index] = point;
    this.handles.show(this.scene.marks.handles);
    if (done) this.sendDrag.now(null);
    else this.sendDrag({ set, index });
  }

  sendHandles(held) {
    const sent = this.get("handles");
    const now = this.scene.marks.handles;
    this.send({
      handles: sent.map((mark, set) => ({ ...mark, points: now[set].points.map((p) => [...p]) })),
      held,
    });
  }

  // ---- saving --------------------------------------------------------------------------------

  async savePng() {
    const blob = await png({
      scene: this.scene, window: this.get("window"), axes: this.get("axes"),
      strip: this.get("strip"), width: this.root.clientWidth, title: this.get("title"),
      position: this.player.position, names: this.get("state_names"),
      stretches: this.get("stretches"), theme: this.theme, tables: this.tables,
    });
    download(blob, this.fileName("png"));
  }

  saveHtml() {
    const page = new Blob([standalonePage(this.model)], { type: "text/html" });
    download(page, this.fileName("html"));
  }

  /** After the title, or after the first clause of what is said of the picture. */
  fileName(ending) {
    const [clause] = this.get("description").split(/[.,:;] /);
    return fileName(this.get("title") || clause, ending);
  }
}
