// The cells of a window of the plane, and what is known in them.

/** The middles of a window's cells, [R C, 2], rows going up. */
export function middles([xmin, xmax, ymin, ymax], rows, columns) {
  const points = new Float32Array(2 * rows * columns);
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      points[i++] = xmin + ((c + 0.5) * (xmax - xmin)) / columns;
      points[i++] = ymin + ((r + 0.5) * (ymax - ymin)) / rows;
    }
  }
  return points;
}

/** The largest of many values. */
export const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
