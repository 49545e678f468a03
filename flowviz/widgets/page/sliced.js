// How far apart two distributions are, by samples of both.

/** So many directions, evenly apart, along which the distance is had. */
const DIRECTIONS = 16;

/**
 * The sliced Wasserstein distance of order 1 of two sets of as many points [n, 2]: the mean over
 * directions of what separates their projections, each of a rank from the other's of that rank.
 */
export function slicedDistance(first, second) {
  let sum = 0;
  for (let k = 0; k < DIRECTIONS; k++) {
    const angle = (Math.PI * (k + 0.5)) / DIRECTIONS;
    const [a, b] = [first, second].map((points) => projected(points, angle).sort());
    for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]) / a.length;
  }
  return sum / DIRECTIONS;
}

function projected(points, angle) {
  const [x, y] = [Math.cos(angle), Math.sin(angle)];
  return Float32Array.from({ length: points.length / 2 }, (_, i) =>
    x * points[2 * i] + y * points[2 * i + 1]);
}
