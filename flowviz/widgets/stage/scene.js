// All the marks of a stage, painted at a position: dense marks into pixels, sparse ones as paths.

import { contour } from "./contours.js";
import { RING } from "./handles.js";
import { placedLabel, placedLabels, ringOf } from "./labels.js";
import { KINDS, between, unpack } from "./marks.js";
import { css, imageHue, pack, tableOf } from "./palette.js";
import { blend, dotStamp } from "./raster.js";

export class Scene {
  constructor() {
    this.own = Object.fromEntries(KINDS.map((kind) => [kind, []]));
    this.marks = this.own; // what is drawn: the stage's own marks, or a moment's in their place
    this.moment = null;
    this.picked = -1;
    this.pickedName = "";
    this.pickedSide = "right"; // of its point, where its name stood last
    this.held = false; // whether a handle is being dragged
    this.corner = 0; // of the plot, over which the key stood last
    this.drawn = []; // flat x, y, x, y, … of the points that the user drew
    this.stamps = new Map();
  }

  /** Replace the stage's own marks of one kind. */
  set(kind, list) {
    this.own[kind] = unpack(kind, list);
    this.show(this.moment);
  }

  /** Draw a moment's marks {kind: [mark, …]} in place of the own ones of their kinds; null: none. */
  show(moment) {
    this.moment = moment;
    this.marks = moment ? { ...this.own, ...moment } : this.own;
  }

  /** K+1: the largest number of states of any mark; paths count only where nothing else moves. */
  get frames() {
    const most = Math.max(1, ...KINDS.flatMap((kind) => this.own[kind].map((m) => m.frames)));
    return most > 1 ? most : Math.max(1, ...this.own.paths.map((mark) => mark.steps));
  }

  /** Whether there is nothing at all to draw. */
  get empty() {
    return this.drawn.length === 0 && KINDS.every((kind) => this.marks[kind].length === 0);
  }

  /** Whether the sparse marks look different from position to position. */
  get sketchMoves() {
    const { fields, paths, shapes, lines } = this.marks;
    return this.picked >= 0 || paths.length > 0
      || [...fields, ...shapes, ...lines].some((mark) => mark.frames > 1);
  }

  stamp(diameter, opacity, { width }) {
    const eighths = Math.round(diameter * 8);
    const key = `${eighths} ${Math.round(opacity * 100)} ${width}`;
    if (!this.stamps.has(key)) this.stamps.set(key, dotStamp(eighths / 8, opacity, width));
    return this.stamps.get(key);
  }

  // ---- dense marks ---------------------------------------------------------------------------

  /** The part that no position changes: the card and the still images. */
  paintStill(surface, view, theme, tables) {
    surface.fill(pack(theme.card));
    for (const mark of this.marks.images) {
      if (mark.frames === 1) this.image(surface, view, mark, mark.values, theme, tables);
    }
  }

  /** Everything else, over what is there. `most`: the largest number of particles drawn. */
  paintMoving(surface, view, position, theme, tables, most = Infinity) {
    for (const mark of this.marks.images) {
      if (mark.frames > 1) {
        this.image(surface, view, mark, mixedImage(mark, position), theme, tables);
      }
    }
    for (const mark of this.marks.grids) this.grid(surface, view, mark, position, theme, tables);
    for (const mark of this.marks.particles) {
      this.particles(surface, view, mark, position, tables, most);
    }
    if (this.drawn.length > 0) this.sprayed(surface, view, tables);
  }

  image(surface, view, mark, values, theme, tables) {
    const [xmin, xmax, ymin, ymax] = mark.extent;
    const hue = imageHue(mark.palette, theme);
    surface.image(
      values, mark.rows, mark.columns, view.px(xmin), view.py(ymax), view.px(xmax), view.py(ymin),
      hue ? { hue: pack(hue) } : { table: tables[mark.palette] },
    );
  }

  grid(surface, view, mark, position, theme, tables) {
    const { rows, columns, states, projected, colour, alpha: weights } = mark;
    const { from, to, part } = between(mark.frames, position);
    const size = rows * columns * 2;
    const a = from * size;
    const b = to * size;
    for (let i = 0; i < size; i += 2) {
      projected[i] = view.px(states[a + i] + (states[b + i] - states[a + i]) * part);
      projected[i + 1] =
        view.py(states[a + i + 1] + (states[b + i + 1] - states[a + i + 1]) * part);
    }
    const p = projected;
    if (colour) {
      const cells = (rows - 1) * (columns - 1);
      const around = between(colour.frames, position);
      const ca = around.from * cells;
      const cb = around.to * cells;
      const table = tables[mark.palette];
      const card = pack(theme.card);
      for (let r = 0, cell = 0; r + 1 < rows; r++) {
        for (let c = 0; c + 1 < columns; c++, cell++) {
          const i = (r * columns + c) * 2;
          const j = i + columns * 2;
          const start = colour.index[ca + cell];
          const value = start + (colour.index[cb + cell] - start) * around.part;
          const full = table[(value + 0.5) | 0];
          const pixel = weights ? blend(card, full, weights[cell]) : full;
          surface.triangle(p[i], p[i + 1], p[i + 2], p[i + 3], p[j], p[j + 1], pixel);
          surface.triangle(p[i + 2], p[i + 3], p[j + 2], p[j + 3], p[j], p[j + 1], pixel);
        }
      }
    }
    if (!mark.lines) return;
    const ink = pack(colour ? theme.ink : theme.muted);
    const alpha = colour ? 34 : 190;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const i = (r * columns + c) * 2;
        const j = i + columns * 2;
        if (c + 1 < columns) surface.line(p[i], p[i + 1], p[i + 2], p[i + 3], ink, alpha);
        if (r + 1 < rows) surface.line(p[i], p[i + 1], p[j], p[j + 1], ink, alpha);
      }
    }
  }

  particles(surface, view, mark, position, tables, most) {
    const { count, states, colour } = mark;
    const stride = Math.max(1, Math.ceil(count / most));
    const shown = count / stride;
    // In a thumbnail, dots in proportion.
    const smaller = most < Infinity ? Math.min(Math.max(view.plot.width / 330, 0.4), 1) : 1;
    const size = (mark.size ?? automaticSize(shown)) * view.scale * view.grown * smaller;
    const stamp = this.stamp(Math.max(size, 1), mark.opacity ?? automaticOpacity(shown), surface);
    const { from, to, part } = between(mark.frames, position);
    const a = from * count * 2;
    const b = to * count * 2;
    const ax = view.ax, bx = view.bx, ay = view.ay, by = view.by;
    if (!colour) {
      const pixel = tables.solid[mark.palette][0];
      for (let i = 0; i < count * 2; i += 2 * stride) {
        const x = states[a + i] + (states[b + i] - states[a + i]) * part;
        const y = states[a + i + 1] + (states[b + i + 1] - states[a + i + 1]) * part;
        surface.dot(ax + bx * x, ay + by * y, pixel, stamp);
      }
      return;
    }
    const { index } = colour;
    const around = between(colour.frames, position);
    const ca = around.from * count;
    const cb = around.to * count;
    const table = tableOf(mark, tables);
    for (let n = 0; n < count; n += stride) {
      const i = 2 * n;
      const x = states[a + i] + (states[b + i] - states[a + i]) * part;
      const y = states[a + i + 1] + (states[b + i + 1] - states[a + i + 1]) * part;
      const value = index[ca + n] + (index[cb + n] - index[ca + n]) * around.part;
      surface.dot(ax + bx * x, ay + by * y, table[(value + 0.5) | 0], stamp);
    }
  }

  sprayed(surface, view, tables) {
    const stamp = this.stamp(2.6 * view.scale * view.grown, 0.9, surface);
    for (let i = 0; i < this.drawn.length; i += 2) {
      const x = view.px(this.drawn[i]);
      surface.dot(x, view.py(this.drawn[i + 1]), tables.solid.ink[0], stamp);
    }
  }

  /** Where particle n of the first set is at a position, or null. */
  particleAt(n, position) {
    const mark = this.marks.particles[0];
    if (!mark || n < 0 || n >= mark.count) return null;
    const { from, to, part } = between(mark.frames, position);
    const a = (from * mark.count + n) * 2;
    const b = (to * mark.count + n) * 2;
    const { states } = mark;
    return [0, 1].map((i) => states[a + i] + (states[b + i] - states[a + i]) * part);
  }

  /** The particle of the first set nearest to (x, y) within `reach` (data units), or −1. */
  nearest(x, y, reach, position) {
    const mark = this.marks.particles[0];
    let best = -1;
    let least = reach * reach;
    for (let n = 0; mark && n < mark.count; n++) {
      const [px, py] = this.particleAt(n, position);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [n, far];
    }
    return best;
  }

  // ---- sparse marks --------------------------------------------------------------------------

  /** Draw the sparse marks with Canvas paths, in css pixels. */
  sketch(context, view, position, theme, tables) {
    context.save();
    context.beginPath();
    const { left, top, width, height } = view.plot;
    context.rect(left, top, width, height);
    context.clip();
    context.lineJoin = "round";
    for (const mark of this.marks.contours) this.contours(context, view, mark, theme);
    for (const mark of this.marks.fields) this.field(context, view, mark, position, theme);
    for (const mark of this.marks.shapes) this.shapes(context, view, mark, position, theme, tables);
    for (const mark of this.marks.lines) this.lines(context, view, mark, position, theme, tables);
    for (const mark of this.marks.paths) this.paths(context, view, mark, position, theme, tables);
    const at = this.particleAt(this.picked, position);
    if (at) {
      context.lineWidth = 2;
      context.strokeStyle = theme.css.ink;
      context.fillStyle = theme.css.card;
      context.beginPath();
      context.arc(view.x(at[0]), view.y(at[1]), 5.5 * view.grown, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      this.namePicked(context, view, at, theme);
    }
    context.restore();
  }

  /** Beside its ring, on no handle and no handle's name; legible on whatever lies there. */
  namePicked(context, view, [px, py], theme) {
    const size = Math.max(6 + 6 * view.grown, 11 * view.type);
    context.font = `${size}px ${theme.font}`;
    const pointOf = (x, y, name) => ({
      x: view.x(x), y: view.y(y), ring: RING * view.grown,
      width: context.measureText(name).width, height: 1.2 * size,
    });
    const handles = this.marks.handles.flatMap(({ points, labels }) =>
      points.map(([x, y], i) => pointOf(x, y, labels[i] ?? "")));
    const others = [...placedLabels(handles, view.plot).map(({ box }) => box), ...handles.map(ringOf)];
    const placed = placedLabel(pointOf(px, py, this.pickedName), others, view.plot, this.pickedSide);
    this.pickedSide = placed.side;
    const [left, top, , height] = placed.box;
    const [x, y] = [left, top + height / 2];
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = theme.css.card;
    context.strokeText(this.pickedName, x, y);
    context.fillStyle = theme.css.ink;
    context.fillText(this.pickedName, x, y);
  }

  contours(context, view, mark, theme) {
    mark.lines ??= mark.levels.map((level) =>
      contour(mark.values, mark.rows, mark.columns, mark.extent, level));
    context.strokeStyle = theme.css[mark.palette];
    context.lineWidth = mark.width;
    context.globalAlpha = mark.opacity;
    for (const line of mark.lines) {
      context.beginPath();
      for (let i = 0; i < line.length; i += 4) {
        context.moveTo(view.x(line[i]), view.y(line[i + 1]));
        context.lineTo(view.x(line[i + 2]), view.y(line[i + 3]));
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  field(context, view, mark, position, theme) {
    const { from, to, part } = between(mark.frames, position);
    const a = from * mark.count * 2;
    const b = to * mark.count * 2;
    const { vectors, points, length } = mark;
    context.strokeStyle = context.fillStyle = theme.css[mark.palette];
    context.globalAlpha = mark.opacity;
    context.lineWidth = 1.25;
    context.beginPath();
    for (let i = 0; i < mark.count * 2; i += 2) {
      const vx = (vectors[a + i] + (vectors[b + i] - vectors[a + i]) * part) * length;
      const vy = (vectors[a + i + 1] + (vectors[b + i + 1] - vectors[a + i + 1]) * part) * length;
      const x0 = view.x(points[i]), y0 = view.y(points[i + 1]);
      const x1 = view.x(points[i] + vx), y1 = view.y(points[i + 1] + vy);
      const long = Math.hypot(x1 - x0, y1 - y0);
      if (!(long > 0.5)) continue;
      const head = Math.min(4, long * 0.45) / long;
      const dx = (x1 - x0) * head, dy = (y1 - y0) * head;
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.moveTo(x1 - dx - dy * 0.6, y1 - dy + dx * 0.6);
      context.lineTo(x1, y1);
      context.lineTo(x1 - dx + dy * 0.6, y1 - dy - dx * 0.6);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  shapes(context, view, mark, position, theme, tables) {
    const { count, corners, states, colour } = mark;
    const { from, to, part } = between(mark.frames, position);
    const size = count * corners * 2;
    const around = colour && between(colour.frames, position);
    context.lineWidth = mark.width;
    for (let m = 0; m < count; m++) {
      context.beginPath();
      for (let v = 0; v < corners; v++) {
        const i = (m * corners + v) * 2;
        const a = from * size + i;
        const b = to * size + i;
        const x = view.x(states[a] + (states[b] - states[a]) * part);
        const y = view.y(states[a + 1] + (states[b + 1] - states[a + 1]) * part);
        if (v === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
      let stroke = theme.css[mark.palette];
      if (colour) {
        const start = colour.index[around.from * count + m];
        const end = colour.index[around.to * count + m];
        stroke = css(tables[mark.palette][Math.round(start + (end - start) * around.part)]);
      }
      if (mark.closed) context.closePath();
      if (mark.closed && mark.fill > 0) {
        context.globalAlpha = mark.fill;
        context.fillStyle = stroke;
        context.fill();
        context.globalAlpha = 1;
      }
      context.strokeStyle = colour ? theme.css.ink : stroke;
      context.stroke();
    }
  }

  lines(context, view, mark, position, theme, tables) {
    const { count, points, states, band, colour } = mark;
    const { from, to, part } = between(mark.frames, position);
    const size = count * points * 2;
    const around = colour && between(colour.frames, position);
    const at = (of, m, s) => {
      const a = from * size + (m * points + s) * 2;
      const b = to * size + (m * points + s) * 2;
      return [view.x(of[a] + (of[b] - of[a]) * part), view.y(of[a + 1] + (of[b + 1] - of[a + 1]) * part)];
    };
    const known = ([x, y]) => Number.isFinite(x + y);
    context.lineWidth = mark.width;
    context.setLineDash(mark.dashed ? [5, 4] : []);
    for (let m = 0; m < count; m++) {
      let stroke = theme.css[mark.palette];
      if (colour) {
        const start = colour.index[around.from * count + m];
        const end = colour.index[around.to * count + m];
        stroke = css(tables[mark.palette][Math.round(start + (end - start) * around.part)]);
      }
      context.strokeStyle = context.fillStyle = stroke;
      const curve = Array.from({ length: points }, (_, s) => at(states, m, s));
      if (band) {
        const edge = curve.map((_, s) => at(band, m, s));
        const inside = curve.map((point, s) => known(point) && known(edge[s]));
        context.globalAlpha = mark.fill;
        for (const [first, last] of runs(inside)) {
          context.beginPath();
          for (let s = first; s <= last; s++) context.lineTo(...curve[s]);
          for (let s = last; s >= first; s--) context.lineTo(...edge[s]);
          context.fill();
        }
        context.globalAlpha = 1;
      }
      if (mark.width === 0) continue;
      for (const [first, last] of runs(curve.map(known))) {
        context.beginPath();
        for (let s = first; s <= last; s++) context.lineTo(...curve[s]);
        context.stroke();
      }
    }
    context.setLineDash([]);
  }

  paths(context, view, mark, position, theme, tables) {
    const { steps, count, states, colour } = mark;
    const last = this.frames - 1;
    // The path's own steps may be finer than the states: both run over the whole time.
    const now = (last > 0 ? position / last : 1) * (steps - 1);
    const whole = Math.min(Math.floor(now), steps - 1);
    const point = (s, m) => {
      const i = (s * count + m) * 2;
      return [view.x(states[i]), view.y(states[i + 1])];
    };
    for (let m = 0; m < count; m++) {
      const { from, to, part } = between(steps, now);
      const [ax, ay] = point(from, m);
      const [bx, by] = point(to, m);
      const head = [ax + (bx - ax) * part, ay + (by - ay) * part];
      context.strokeStyle = context.fillStyle = colour
        ? css(tables[mark.palette][colour.index[m]])
        : theme.css[mark.palette];
      context.lineWidth = mark.width;
      context.globalAlpha = mark.opacity;
      context.beginPath();
      for (let s = 0; s <= whole; s++) context.lineTo(...point(s, m));
      context.lineTo(...head);
      context.stroke();
      context.globalAlpha = mark.opacity * 0.28;
      context.beginPath();
      context.moveTo(...head);
      for (let s = whole + 1; s < steps; s++) context.lineTo(...point(s, m));
      context.stroke();
      context.globalAlpha = mark.opacity;
      context.beginPath();
      context.arc(...head, mark.width * 1.8, 0, 2 * Math.PI);
      context.fill();
      context.globalAlpha = 1;
    }
  }
}

/** The first and the last index of every run of true values. */
function runs(flags) {
  const out = [];
  flags.forEach((flag, i) => {
    if (flag && !flags[i - 1]) out.push([i, i]);
    else if (flag) out.at(-1)[1] = i;
  });
  return out;
}

function mixedImage(mark, position) {
  const { from, to, part } = between(mark.frames, position);
  const size = mark.rows * mark.columns;
  const { values, mixed } = mark;
  for (let i = 0, a = from * size, b = to * size; i < size; i++, a++, b++) {
    mixed[i] = values[a] + (values[b] - values[a]) * part;
  }
  return mixed;
}

/** Diameter of a particle in css pixels: smaller where there are many. */
function automaticSize(count) {
  return count <= 1000 ? 3.2 : count <= 5000 ? 2.6 : count <= 30000 ? 2 : 1.5;
}

function automaticOpacity(count) {
  return count <= 1000 ? 0.9 : count <= 5000 ? 0.8 : count <= 30000 ? 0.6 : 0.4;
}
