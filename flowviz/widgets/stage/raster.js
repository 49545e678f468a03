// A small software rasteriser: dense marks are written straight into a Uint32Array of pixels.
//
// Nothing here allocates while drawing. Coordinates are pixels, x to the right and y down; a pixel
// is inside a triangle when its centre is, and a centre on an edge that two triangles share belongs
// to exactly one of them, so that a mesh has neither gaps nor double edges.

/** Every second channel of a pixel. */
const PAIR = 0xff00ff;

/** Lay `colour` over `under`, both opaque, alpha 0…256. */
export function blend(under, colour, alpha) {
  // Two channels at a time: u + (c − u) α in one product.
  const redBlue = under & PAIR;
  const green = (under >>> 8) & PAIR;
  return (
    ((((redBlue << 8) + Math.imul((colour & PAIR) - redBlue, alpha)) >>> 8) & PAIR)
    | (((green << 8) + Math.imul(((colour >>> 8) & PAIR) - green, alpha)) & ~PAIR)
  ) >>> 0;
}

/** Pixels; what is longer is not drawn: it has left the picture, or is not finite. */
const FAR = 1e6;

/** Subpixel places of a dot's centre, in each direction, for which its coverage is prepared. */
const PLACES = 4;

/**
 * A round dot for surfaces of that width, for each of PLACES × PLACES subpixel places of its centre:
 * the `count` pixels that it covers there, each 512 × its offset from the corner's + its coverage
 * 0…256. Where it covers fewer, the rest have coverage 0: all dots take the same steps.
 */
export function dotStamp(diameter, opacity, width) {
  const size = Math.ceil(diameter) + 1;
  const radius = diameter / 2;
  const places = Array.from({ length: PLACES * PLACES }, (_, place) => {
    const cx = size / 2 - 0.5 + ((place % PLACES) + 0.5) / PLACES;
    const cy = size / 2 - 0.5 + (Math.floor(place / PLACES) + 0.5) / PLACES;
    const covered = [];
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const far = Math.hypot(x + 0.5 - cx, y + 0.5 - cy);
        const part = Math.min(Math.max(radius - far + 0.5, 0), 1);
        const alpha = Math.round(part * opacity * 256);
        if (alpha > 0) covered.push(512 * (y * width + x) + alpha);
      }
    }
    return covered;
  });
  const count = Math.max(...places.map((covered) => covered.length));
  const table = new Int32Array(PLACES * PLACES * count);
  places.forEach((covered, place) => table.set(covered, place * count));
  return { size, count, table };
}

export class Surface {
  constructor(width, height, pixels = new Uint32Array(width * height)) {
    this.width = width;
    this.height = height;
    this.pixels = pixels;
  }

  fill(colour) {
    this.pixels.fill(colour);
  }

  /** Copy the pixels of a surface of the same size. */
  copy(other) {
    this.pixels.set(other.pixels);
  }

  /** Fill a triangle with one colour. */
  triangle(ax, ay, bx, by, cx, cy, colour) {
    const { width, height, pixels } = this;
    let t;
    if (by < ay) { t = ax; ax = bx; bx = t; t = ay; ay = by; by = t; }
    if (cy < ay) { t = ax; ax = cx; cx = t; t = ay; ay = cy; cy = t; }
    if (cy < by) { t = bx; bx = cx; cx = t; t = by; by = cy; cy = t; }
    if (!(cy > ay && cy - ay < FAR && Math.abs(cx - ax) < FAR && Math.abs(bx - ax) < FAR)) return;
    // Rows whose centre y + 1/2 lies in [ay, cy).
    const top = Math.max(Math.ceil(ay - 0.5), 0);
    const bottom = Math.min(Math.ceil(cy - 0.5), height);
    const long = (cx - ax) / (cy - ay);
    const upper = by > ay ? (bx - ax) / (by - ay) : 0;
    const lower = cy > by ? (cx - bx) / (cy - by) : 0;
    for (let y = top; y < bottom; y++) {
      const centre = y + 0.5;
      const onLong = ax + (centre - ay) * long;
      const onShort = centre < by ? ax + (centre - ay) * upper : bx + (centre - by) * lower;
      let from = Math.ceil((onLong < onShort ? onLong : onShort) - 0.5);
      let to = Math.ceil((onLong < onShort ? onShort : onLong) - 0.5);
      if (from < 0) from = 0;
      if (to > width) to = width;
      const row = y * width;
      for (let x = from; x < to; x++) pixels[row + x] = colour;
    }
  }

  /** A thin line (one pixel, antialiased across), blended. */
  line(ax, ay, bx, by, colour, alpha) {
    const { width, height, pixels } = this;
    const dx = bx - ax;
    const dy = by - ay;
    if (!(Math.abs(dx) + Math.abs(dy) < FAR)) return;
    const steep = Math.abs(dy) > Math.abs(dx);
    // Walk along the longer direction, u; v is the other.
    const us = steep ? ay : ax, ue = steep ? by : bx;
    const vs = steep ? ax : ay, ve = steep ? bx : by;
    const slope = ue === us ? 0 : (ve - vs) / (ue - us);
    const limit = steep ? height : width;
    const across = steep ? width : height;
    const strideU = steep ? width : 1;
    const strideV = steep ? 1 : width;
    let from = Math.ceil(Math.min(us, ue) - 0.5);
    let to = Math.ceil(Math.max(us, ue) - 0.5);
    if (from < 0) from = 0;
    if (to > limit) to = limit;
    for (let u = from; u < to; u++) {
      const v = vs + (u + 0.5 - us) * slope - 0.5;
      const near = Math.floor(v);
      const second = Math.round((v - near) * alpha);
      if (near >= 0 && near < across) {
        const at = u * strideU + near * strideV;
        pixels[at] = blend(pixels[at], colour, alpha - second);
      }
      if (near + 1 >= 0 && near + 1 < across) {
        const at = u * strideU + (near + 1) * strideV;
        pixels[at] = blend(pixels[at], colour, second);
      }
    }
  }

  /** One dot, stamped centred at (x, y); dots that leave the surface are not drawn. */
  dot(x, y, colour, { size, count, table }) {
    const left = x - size / 2 + 0.5;
    const top = y - size / 2 + 0.5;
    // Written so that NaN fails it.
    if (!(left >= 0 && top >= 0 && left < this.width - size && top < this.height - size)) return;
    const x0 = left | 0;
    const y0 = top | 0;
    const { pixels, width } = this;
    const corner = y0 * width + x0;
    const first = (((top - y0) * PLACES | 0) * PLACES + ((left - x0) * PLACES | 0)) * count;
    for (let i = first; i < first + count; i++) {
      const at = corner + (table[i] >> 9);
      pixels[at] = blend(pixels[at], colour, table[i] & 511);
    }
  }

  /**
   * A smooth picture of `values` [rows, columns] (row 0 at the bottom, as y goes up), in the
   * rectangle left…right, top…bottom; NaN is left out.
   *
   * With `hue` the values 0…1 are its opacity; without, they index the opaque `table`.
   */
  image(values, rows, columns, left, top, right, bottom, { table, hue }) {
    const { width, height, pixels } = this;
    const stepX = columns / (right - left);
    const stepY = rows / (bottom - top);
    const x0 = Math.max(Math.ceil(left - 0.5), 0);
    const x1 = Math.min(Math.ceil(right - 0.5), width);
    const y0 = Math.max(Math.ceil(top - 0.5), 0);
    const y1 = Math.min(Math.ceil(bottom - 0.5), height);
    for (let y = y0; y < y1; y++) {
      // A value sits in the middle of its cell; beyond the outermost middles it is held.
      const v = Math.min(Math.max((bottom - y - 0.5) * stepY - 0.5, 0), rows - 1);
      const low = Math.min(v | 0, Math.max(rows - 2, 0));
      const fy = v - low;
      const a = low * columns;
      const b = (low + 1 < rows ? low + 1 : low) * columns;
      for (let x = x0; x < x1; x++) {
        const u = Math.min(Math.max((x + 0.5 - left) * stepX - 0.5, 0), columns - 1);
        const i = Math.min(u | 0, Math.max(columns - 2, 0));
        const j = i + 1 < columns ? i + 1 : i;
        const fx = u - i;
        const under = values[a + i] + (values[a + j] - values[a + i]) * fx;
        const over = values[b + i] + (values[b + j] - values[b + i]) * fx;
        const value = under + (over - under) * fy;
        if (!(value >= 0)) continue;
        const at = y * width + x;
        if (hue === undefined) pixels[at] = table[value < 1 ? (value * 255 + 0.5) | 0 : 255];
        else pixels[at] = blend(pixels[at], hue, value < 1 ? (value * 256) | 0 : 256);
      }
    }
  }
}
