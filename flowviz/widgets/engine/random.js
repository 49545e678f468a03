// Random numbers that a seed decides, for draws of the page's own.

/** Chris Doty-Humphrey's sfc32 (of PractRand), a small fast counting generator of 32 bits. */
export class Generator {
  /** @param {number} seed a whole number ≥ 0, below 2⁵³. */
  constructor(seed = 0) {
    this.a = seed | 0;
    this.b = Math.floor(seed / 2 ** 32) | 0;
    this.c = 0x9e3779b9 | 0;
    this.counter = 1;
    this.spare = NaN;
    // Seeds that are close give streams that are not, after some rounds.
    for (let i = 0; i < 12; i++) this.bits();
  }

  /** 32 random bits, as a signed number. */
  bits() {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum;
  }

  /** Uniform in [0, 1), of 32 bits. */
  uniform() {
    return (this.bits() >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `below` − 1. */
  below(below) {
    return Math.floor(this.uniform() * below);
  }

  /** Of the standard normal distribution, by the polar method (Marsaglia & Bray 1964). */
  normal() {
    const { spare } = this;
    if (spare === spare) {
      this.spare = NaN;
      return spare;
    }
    let x;
    let y;
    let square;
    do {
      x = 2 * this.uniform() - 1;
      y = 2 * this.uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const scale = Math.sqrt((-2 * Math.log(square)) / square);
    this.spare = y * scale;
    return x * scale;
  }

  /** Fill an array with independent draws of N(0, 1). */
  fillNormal(array) {
    for (let i = 0; i < array.length; i++) array[i] = this.normal();
  }
}
