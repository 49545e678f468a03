// Level lines by marching squares.

/**
 * The level lines of `values` [rows, columns] (row 0 at the bottom) over extent
 * [xmin, xmax, ymin, ymax]; a value sits in the middle of its cell.
 *
 * Returns segments as a flat Float64Array x0, y0, x1, y1, … in data coordinates.
 */
export function contour(values, rows, columns, [xmin, xmax, ymin, ymax], level) {
  const out = [];
  const dx = (xmax - xmin) / columns;
  const dy = (ymax - ymin) / rows;
  const px = (c) => xmin + (c + 0.5) * dx;
  const py = (r) => ymin + (r + 0.5) * dy;
  const part = (from, to) => (level - from) / (to - from);
  for (let r = 0; r + 1 < rows; r++) {
    for (let c = 0; c + 1 < columns; c++) {
      const sw = values[r * columns + c];
      const se = values[r * columns + c + 1];
      const nw = values[(r + 1) * columns + c];
      const ne = values[(r + 1) * columns + c + 1];
      const kind =
        (sw > level ? 1 : 0) | (se > level ? 2 : 0) | (ne > level ? 4 : 0) | (nw > level ? 8 : 0);
      if (kind === 0 || kind === 15 || !Number.isFinite(sw + se + nw + ne)) continue;
      const south = () => [px(c + part(sw, se)), py(r)];
      const north = () => [px(c + part(nw, ne)), py(r + 1)];
      const west = () => [px(c), py(r + part(sw, nw))];
      const east = () => [px(c + 1), py(r + part(se, ne))];
      const add = (from, to) => out.push(...from(), ...to());
      switch (kind) {
        case 1: case 14: add(west, south); break;
        case 2: case 13: add(south, east); break;
        case 3: case 12: add(west, east); break;
        case 4: case 11: add(east, north); break;
        case 6: case 9: add(south, north); break;
        case 7: case 8: add(west, north); break;
        default: { // a saddle: the mean decides which corners belong together
          const joined = (sw + se + nw + ne) / 4 > level;
          if ((kind === 5) === joined) { add(west, north); add(south, east); }
          else { add(west, south); add(east, north); }
        }
      }
    }
  }
  return Float64Array.from(out);
}
