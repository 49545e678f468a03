// Compiles flowviz/widgets/engine/kernels.ts into the bytes that wasm.js holds.
//
// node tests/js/build_kernels.js           writes wasm.js (needs npx, and a network the first time)
// node tests/js/build_kernels.js --check   exits with 1 where wasm.js is of another source, with 2
//                                          where the compiler cannot be had

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";

const COMPILER = "assemblyscript@0.28.20";
const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--importMemory", "--memoryBase", "16"];
/** The features of each module, in the order in which they lie in the bytes. */
const FEATURES = [["simd"], ["simd", "relaxed-simd"]];
const ENGINE = fileURLToPath(new URL("../../flowviz/widgets/engine/", import.meta.url));

function compile(features) {
  const folder = mkdtempSync(join(tmpdir(), "kernels-"));
  const file = join(folder, "kernels.wasm");
  const enabled = features.flatMap((feature) => ["--enable", feature]);
  try {
    const done = spawnSync(
      "npx",
      ["--yes", `--package=${COMPILER}`, "asc", join(ENGINE, "kernels.ts"), ...OPTIONS, ...enabled, "-o", file],
      { encoding: "utf8" },
    );
    if (done.status !== 0) return { error: done.error?.message ?? done.stderr + done.stdout };
    return { bytes: readFileSync(file) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const text = (bytes, first) => [
  `// Made of kernels.ts by build_kernels.js (${COMPILER}), whose SHA-256 is`,
  `// ${createHash("sha256").update(readFileSync(join(ENGINE, "kernels.ts"))).digest("hex")}`,
  "",
  "/**",
  " * Two WebAssembly modules of the block operations, one after the other, deflated (raw), in base64: with",
  " * SIMD, and with relaxed SIMD, which differ little.",
  " */",
  `export const DEFLATED = "${deflateRawSync(bytes, { level: 9 }).toString("base64")}";`,
  "/** Where the second begins. */",
  `export const SECOND = ${first};`,
  "",
].join("\n");

const modules = FEATURES.map(compile);
const error = modules.map((module) => module.error).find(Boolean);
if (error) {
  console.error(error);
  process.exit(2);
}
const bytes = Buffer.concat(modules.map((module) => module.bytes));

/** The bytes that wasm.js holds; how they were deflated does not matter. */
function held(target) {
  const [, packed] = readFileSync(target, "utf8").match(/DEFLATED = "([^"]*)"/);
  return inflateRawSync(Buffer.from(packed, "base64"));
}

const target = join(ENGINE, "wasm.js");
if (!process.argv.includes("--check")) writeFileSync(target, text(bytes, modules[0].bytes.length));
else if (!held(target).equals(bytes)) {
  console.error("wasm.js is not what kernels.ts compiles to: run node tests/js/build_kernels.js");
  process.exit(1);
}
