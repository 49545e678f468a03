// The page's engine: reads programs, which are recorded flows, and makes them ready to be played.

import { plainBlocks } from "./blocks.js";
import { checkHeader } from "./check.js";
import { compiled, fastBlocks } from "./fast.js";
import { readFile } from "./format.js";
import { Parameters } from "./parameters.js";
import { Pass } from "./pass.js";
import { sizeOf } from "./shapes.js";

/**
 * Plays programs.
 *
 * ```js
 * const engine = await Engine.start();
 * const program = engine.read(bytes);
 * const pass = program.prepare({ n: 2000 });
 * pass.inputs.z.set(z);
 * pass.run();
 * pass.output("states", 3);
 * ```
 */
export class Engine {
  /**
   * @param {WebAssembly.Module|null} module
   */
  constructor(module) {
    this.module = module;
    /** "wasm", or "plain" where WebAssembly or its SIMD is missing or forbidden. */
    this.kind = module ? "wasm" : "plain";
  }

  /**
   * @param {object} settings
   * @param {boolean} settings.plain do without WebAssembly.
   * @returns {Promise<Engine>}
   */
  static async start({ plain = false } = {}) {
    return new Engine(plain ? null : await compiled());
  }

  /**
   * Read and check a program.
   *
   * @param {ArrayBuffer|Uint8Array} bytes
   * @returns {Program}
   * @throws {ProgramError} what is wrong with it.
   */
  read(bytes) {
    return new Program(readFile(bytes), this);
  }

  /** Memory for `size` numbers, and the block operations over it. */
  makeMemory(size) {
    return this.module ? fastBlocks(this.module, size) : plainMemory(size);
  }
}

function plainMemory(size) {
  const memory = new Float32Array(size);
  return { memory, start: 0, blocks: plainBlocks(memory) };
}

/** A recorded flow's forward pass, inverse, log-density or descent, for any number of points. */
export class Program {
  constructor({ header, block }, engine) {
    checkHeader(header, block.length);
    this.header = header;
    this.block = block;
    this.engine = engine;
    /** What it computes: "forward", "inverse", "log_prob", "descent"… */
    this.kind = header.kind;
    this.title = header.title;
    this.dim = header.dim;
  }

  /** The parameters, with their values where the file has them. */
  parameters() {
    return new Parameters(this.header.parameters.map((parameter) => {
      const { at, shape } = parameter;
      return { ...parameter, value: at === null ? null : this.block.subarray(at, at + sizeOf(shape)) };
    }));
  }

  /**
   * Make it ready for n points.
   *
   * @param {object} settings
   * @param {number} settings.n ≥ 1.
   * @param {Parameters} settings.parameters those of the flow, which its programs share; by
   *   default the program's own.
   * @param {number} settings.seed of its noise.
   * @returns {Pass}
   */
  prepare({ n, parameters = this.parameters(), seed = 0 }) {
    return new Pass(this.header, this.block, { n, parameters, seed }, (s) => this.engine.makeMemory(s));
  }
}
