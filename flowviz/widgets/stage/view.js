// One view of a Stage: its elements, its drawing, and what passes between it and the model.

import { clockFor } from "./clock.js";
import { freshId, icon, make } from "./dom.js";
import { fileName, savePage, savePng } from "./export.js";
import { Film } from "./film.js";
import { Handles } from "./handles.js";
import { Interaction } from "./interaction.js";
import { keyOf, legendWords, legends } from "./legend.js";
import { KINDS } from "./marks.js";
import { palettes } from "./palette.js";
import { Picture, viewOf } from "./picture.js";
import { playerKey } from "./player_controls.js";
import { Scene } from "./scene.js";
import { Strip } from "./strip.js";
import { register } from "./registry.js";
import { readTheme, watchRatio, watchTheme } from "./theme.js";
import { throttle } from "./throttle.js";
import { Transport, carried, whereabouts } from "./transport.js";

/** The traits that the clock of the stage goes by. */
const CLOCKWORK = ["speed", "loop", "direction", "stretches"];

/** After so many milliseconds without a change a picture is at rest. */
const REST = 200;

const SAVE = "M7 2h2v6h2.6L8 11.6 4.4 8H7zM2.5 12.5h11V14h-11z";
const UNDO = "M6 3v2.4h3.2a4 4 0 1 1 0 8H5v-1.6h4.2a2.4 2.4 0 1 0 0-4.8H6v2.4L2.4 6.2z";
const CLEAR = "M4.2 3 8 6.8 11.8 3 13 4.2 9.2 8l3.8 3.8-1.2 1.2L8 9.2 4.2 13 3 11.8 6.8 8 3 4.2z";

export class StageView {
  constructor(model, parent) {
    this.model = model;
    this.parent = parent;
    this.scene = new Scene();
    this.film = new Film();
    this.moment = -1; // of the film that is drawn
    this.ends = []; // what undoes everything, for remove()
    this.problems = new Map(); // what cannot be drawn, by its cause
    this.request = 0;
    this.seen = true;
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.build();
    parent.append(this.root);
    this.ends.push(register(this.get("key"), this));
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
    this.savers = [
      tool(SAVE, "Save this picture as PNG", "PNG", () => this.savePng()),
      tool(SAVE, "Save as a page that plays by itself", "HTML", () => this.savePage()),
    ];
    this.tools = make(
      "div", { class: "fv-stage-tools", role: "group", "aria-label": "Drawing and saving" },
      this.undo, this.clear, ...this.savers,
    );
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
    });
    this.head = make(
      "div", { class: "fv-stage-head" }, this.heading, this.strip.legend, this.tools,
    );
    this.room = make("div", { class: "fv-stage-room" }, this.plot);
    this.root = make(
      "div", { class: "fv fv-stage", "data-lm-suppress-shortcuts": "true" },
      this.head, this.room, this.strip.element, this.transport.element, this.summary,
    );
    this.interaction = new Interaction(this);
    this.ends.push(() => this.interaction.remove());
    // Where the page answers a drag, the kernel has time.
    this.sendDrag = throttle(
      (...change) => this.sendHandles(...change), () => (this.carrier?.leads ? 150 : 16));
    this.sendProbe = throttle((x, y) => this.send({ probe: [x, y] }), 67);
    // Where it is when it is sent, and not when that was asked for.
    this.sendPosition = throttle(() => this.send(this.news()), 100);
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
    for (const button of this.savers) button.hidden = !this.get("tools");
    this.tools.hidden = !drawing && !this.get("tools");
    this.offerDrawingTools();
    const strip = this.get("strip");
    this.room.hidden = strip;
    this.strip.element.hidden = !strip;
    if (!strip) this.strip.legend.hidden = true;
    this.head.hidden = !title && this.tools.hidden && !strip;
    this.transport.element.hidden = !this.get("transport") || this.scene.frames < 2;
    const fits = this.fits();
    this.root.classList.toggle("fv-stage-fit", fits);
    this.parent.classList.toggle("fv-stage-box", fits);
    const widest = this.get("max_width");
    this.root.style.maxWidth = widest > 0 && !fits ? `${widest}px` : "";
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
    for (const name of ["title", "description", "drawing", "probing", "picking", "transport", "tools"]) {
      on(`change:${name}`, () => this.texts());
    }
    for (const name of ["window", "strip", "axes", "aspect", "axis_titles", "max_width", "fit"]) {
      on(`change:${name}`, laidOut);
    }
    for (const name of ["state_names", "readout", "stretches", "unit", "unit_range", "reversible"]) {
      on(`change:${name}`, () => this.settle(false));
    }
    on("change:film", () => {
      this.unpackFilm();
      this.join();
      // Another film's moments are others: back to what is live.
      this.clock.act((p) => p.seekMoment(-1), false);
      this.redraw();
    });
    for (const name of ["picked", "picked_name"]) {
      on(`change:${name}`, () => {
        this.unpackPicked();
        this.redraw();
      });
    }
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
    this.ends.push(watchRatio(() => this.resize()));
    const presented = (event) => this.keyWhilePresenting(event);
    document.addEventListener("keydown", presented);
    this.ends.push(() => document.removeEventListener("keydown", presented));
    const sized = new ResizeObserver(() => this.resize());
    sized.observe(this.root);
    sized.observe(this.room);
    const sighted = new IntersectionObserver((entries) => {
      // Out of sight and back within one frame, it is told of both: the last holds.
      this.seen = entries.at(-1).isIntersecting;
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
    this.heard = (player, settled) => this.hear(player, settled);
    this.join();
    const { player } = this.clock;
    player.tweening = !this.reduced.matches;
    this.showMoment();
    // Who joins a clock that another stage leads already goes by it.
    if (this.clock.led) return;
    this.clock.led = true;
    for (const name of CLOCKWORK) player[name] = this.get(name);
    player.seek(this.get("position"));
    const plays = this.get("playing") && !this.reduced.matches;
    // Who joined before hears where it starts.
    this.clock.act((p) => { if (plays) p.play(); }, false);
  }

  /** Tell the clock how many states and moments there are. */
  join() {
    this.clock.join(this.heard, this.scene.frames, this.film.length);
  }

  get player() {
    return this.clock.player;
  }

  remove() {
    this.clock.leave(this.heard);
    cancelAnimationFrame(this.request);
    clearTimeout(this.rest);
    this.stopPreparing();
    for (const end of this.ends) end();
    this.parent.classList.remove("fv-stage-box");
    this.root.remove();
  }

  // ---- playing -------------------------------------------------------------------------------

  act(change, settled = true) {
    this.wanted = null;
    this.clock.act(change, settled);
  }

  /** The clock moved. */
  hear(player, settled) {
    // A scrubber that is dragged is to be followed, as what plays is.
    const moving = player.playing || !settled;
    if (this.showMoment()) this.paint(moving);
    else this.drawSeen(moving);
    if (!player.playing) this.sharpenSoon();
    this.showPosition();
    if (settled) this.settle(true);
  }

  /** Once nothing has moved for a while, draw as sharp as can be what was drawn coarser. */
  sharpenSoon() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      if (this.picture.level > 0 && !this.player.playing) this.redraw();
    }, REST);
  }

  /** Have the marks of the clock's moment drawn; whether they are others than before. */
  showMoment() {
    const { moment } = this.player;
    if (moment === this.moment) return false;
    this.moment = moment;
    this.attempt("film", () => this.scene.show(this.film.marks(moment)));
    this.strip.current = false;
    return true;
  }

  /** What a step is called: see whereabouts. */
  unit() {
    return { name: this.get("unit"), range: this.get("unit_range") };
  }

  showPosition() {
    this.transport.update(
      this.player, this.get("state_names"), this.get("readout"), this.unit(), this.get("reversible"),
    );
    if (this.get("strip")) this.strip.mark(this.player.position);
  }

  /** After a change: text in line; and, after the user's own, the kernel in line. */
  settle(tell) {
    this.showPosition();
    this.summary.textContent = this.summarise();
    if (tell) this.sendPosition();
  }

  /** What the kernel is told: while it plays, nothing but that it does. */
  news() {
    const { playing, position, direction } = this.player;
    return playing ? { playing, direction } : { playing, direction, position };
  }

  framesChanged() {
    this.join();
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
    this.unpackFilm();
    this.unpackPicked();
  }

  unpackPicked() {
    this.scene.picked = this.get("picked");
    this.scene.pickedName = this.get("picked_name");
  }

  unpackFilm() {
    this.stopPreparing?.();
    this.film = new Film(this.get("film"));
    this.stopPreparing = this.film.prepare();
    this.moment = -1;
    this.scene.show(null);
  }

  unpack(kind) {
    const held = kind === "handles" ? this.handles.held : null;
    const place = () => this.scene.own.handles[held.set]?.points;
    const kept = held && place()?.[held.index];
    this.attempt(kind, () => this.scene.set(kind, this.get(kind)));
    // What the user holds stays under the finger.
    if (kept && place()?.[held.index]) place()[held.index] = kept;
    this.carrier?.unpacked(this);
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
      const box = this.box();
      if (box.width === 0 || box.height === 0) return;
      const key = JSON.stringify([box, this.fits(), globalThis.devicePixelRatio]);
      if (key === this.sizeKey) return;
      this.sizeKey = key;
      this.laidOutKey = JSON.stringify(box.key);
      const { width, height, plot } = this.picture.resize(box);
      Object.assign(this.plot.style, {
        width: this.fits() ? `${width}px` : "", height: `${height}px`,
      });
      this.plot.style.setProperty("--fv-grown", this.mapping().grown);
      this.handles.resized();
      this.plot.style.setProperty("--fv-ratio", `${width} / ${height}`);
      Object.assign(this.note.style, { left: `${plot.left + 6}px`, top: `${plot.top + 6}px` });
    }
    this.draw(this.player.playing);
  }

  /** Whether the picture fills the box that the page gives; a strip is as high as it must be. */
  fits() {
    return this.get("fit") && !this.get("strip");
  }

  /** What the picture is laid out for. */
  box() {
    return {
      width: this.room.clientWidth,
      // Without a height of its own the picture is as high as its width asks for.
      ...(this.fits() ? { height: this.room.clientHeight } : {}),
      window: this.get("window"), axes: this.get("axes"),
      aspect: this.get("aspect"), titles: this.get("axis_titles"),
      type: this.type(),
      key: this.key(),
    };
  }

  /** How many times larger than usual axes and the key are written. */
  type() {
    return Number(getComputedStyle(this.root).getPropertyValue("--fv-stage-type")) || 1;
  }

  /** What the key of the present marks takes. */
  key() {
    if (!this.theme) return null;
    const { clientWidth, clientHeight } = this.room;
    const side = this.fits() ? Math.min(clientWidth, clientHeight) : clientWidth;
    return keyOf(this.picture.marksContext, this.scene, this.theme, side / this.type());
  }

  /** Draw with the page's next frame; data and theme are taken anew. */
  redraw() {
    this.picture.stale();
    this.strip.current = false;
    if (this.request) return;
    this.request = requestAnimationFrame(() => {
      this.request = 0;
      this.paint(this.player.playing);
    });
  }

  /** Draw marks that may be others than before. */
  paint(moving) {
    if (this.seen && this.keyChanged()) this.resize();
    else this.drawSeen(moving);
  }

  /** Draw; where the stage is out of sight remember that it has to be. */
  drawSeen(moving) {
    if (this.seen) this.draw(moving);
    else this.missed = true;
  }

  /** Whether the marks ask for another key than the picture is laid out for. */
  keyChanged() {
    const key = JSON.stringify(this.key());
    if (key === this.laidOutKey) return false;
    this.laidOutKey = key;
    return !this.get("strip");
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
      this.scene.frames, this.get("state_names"), this.get("stretches"), this.unit(),
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
      parts.push(
        whereabouts(this.player.position, frames - 1, names, this.get("stretches"), this.unit()),
      );
    }
    if (this.scene.moment) parts.push(`training step ${this.film.step(this.moment)}`);
    parts.push(carried(this.get("readout"), this.player.position));
    for (const mark of marks.particles) {
      const count = mark.count.toLocaleString("en");
      const coloured = mark.values && mark.label;
      parts.push(coloured ? `${count} points, coloured by ${mark.label}` : `${count} ${mark.label || "points"}`);
    }
    for (const mark of marks.grids) parts.push(`a grid of ${mark.rows} by ${mark.columns} lines`);
    for (const mark of marks.images) parts.push(mark.label || "a density");
    for (const mark of marks.contours) parts.push(mark.label || "contours");
    for (const mark of marks.lines) parts.push(mark.label || "curves");
    for (const mark of legends(this.scene)) parts.push(legendWords(mark));
    return `${parts.filter(Boolean).join(". ")}.`;
  }

  // ---- what the user does on the plot --------------------------------------------------------

  /** The mapping between data and css pixels of the plot's element. */
  mapping() {
    const { window, plot, width, height } = this.picture.layout;
    return { ...viewOf(window, plot, 1), width, height };
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
    this.carrier?.follow(this, set, point, index);
    this.scene.held = !done;
    if (!done) return this.sendDrag({ set, index });
    this.sendDrag.now(null);
    this.redraw();
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

  /** Save what these views show, side by side, as a PNG of that name (without ending). */
  savePng(name = this.fileName(), views = [this]) {
    return savePng(views, name);
  }

  /** Save these views as a page that plays by itself; see standalonePage. */
  savePage(name = this.fileName(), { views = [this], title, titles, voices } = {}) {
    savePage(views, title ?? this.get("title"), name, { titles, voices });
  }

  /** After the title, or after the first clause of what is said of the picture. */
  fileName() {
    const [clause] = this.get("description").split(/[.,:;] /);
    return fileName(this.get("title") || clause);
  }
}
