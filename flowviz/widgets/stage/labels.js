// Where the names of points stand: not on one another, nor on the points, nor out of the plot.

/** Between a point's ring and its name, in css pixels. */
const GAP = 4;
/** A name beside a ring is so much above its middle: a path that leaves sideways is not under it. */
const RAISED = 5;

/** The sides of a point, the preferred first, with its name's box [left, top, width, height] there. */
const SIDES = {
  right: ({ x, y, ring, width, height }) => [x + ring + GAP, y - RAISED - height / 2, width, height],
  left: ({ x, y, ring, width, height }) => [x - ring - GAP - width, y - RAISED - height / 2, width, height],
  below: ({ x, y, ring, width, height }) => [x - width / 2, y + ring + GAP / 2, width, height],
  above: ({ x, y, ring, width, height }) => [x - width / 2, y - ring - GAP / 2 - height, width, height],
};

/**
 * On which side of its point each name stands, and its box there, given points
 * {x, y, ring, width, height} (the radius of the ring, and the name's size): the first side where
 * nothing is covered, else where the least is.
 */
export function placedLabels(points, plot) {
  const rings = points.map(ringOf);
  const placed = [];
  return points.map((point, i) => {
    const others = [...placed.map(({ box }) => box), ...rings.filter((_, j) => j !== i)];
    placed.push(placedLabel(point, others, plot));
    return placed[i];
  });
}

/** The same of one point among others' boxes, with the side that it had before for the preferred. */
export function placedLabel(point, others, plot, before = "right") {
  const sides = [before, ...Object.keys(SIDES).filter((side) => side !== before)];
  const costs = sides.map((side) => {
    const box = SIDES[side](point);
    const outside = box[2] * box[3] - overlap(box, [plot.left, plot.top, plot.width, plot.height]);
    return { side, box, cost: others.reduce((sum, other) => sum + overlap(box, other), outside) };
  });
  return costs.reduce((least, one) => (one.cost < least.cost - 0.5 ? one : least));
}

/** The box of a point's ring. */
export function ringOf({ x, y, ring }) {
  return [x - ring, y - ring, 2 * ring, 2 * ring];
}

/** The area that two boxes [left, top, width, height] share. */
export function overlap(a, b) {
  const along = (i) => Math.min(a[i] + a[i + 2], b[i] + b[i + 2]) - Math.max(a[i], b[i]);
  return Math.max(along(0), 0) * Math.max(along(1), 0);
}
