// Compiles flowviz/widgets/engine/kernels.ts into the bytes that wasm.js holds.
//
// node tests/js/build_kernels.js           writes wasm.js (needs npx, and a network the first time)
// node tests/js/build_kernels.js --check   exits with 1 where wasm.js is of another source, with 2
//                                          where the compiler cannot be had

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";

const COMPILER = "assemblyscript@0.28.20";
const OPTIONS = [
  "-O3", "--converge", "--noAssert", "--runtime", "stub", "--importMemory", "--memoryBase", "16",
  "--enable",
];
/** The modules by their names in wasm.js, and what they ask of a browser. */
const MODULES = { FUSED: "simd,relaxed-simd", SIMD: "simd" };
const ENGINE = fileURLToPath(new URL("../../flowviz/widgets/engine/", import.meta.url));

function compile(features) {
  const folder = mkdtempSync(join(tmpdir(), "kernels-"));
  const file = join(folder, "kernels.wasm");
  try {
    const done = spawnSync(
      "npx",
      ["--yes", `--package=${COMPILER}`, "asc", join(ENGINE, "kernels.ts"), ...OPTIONS, features, "-o", file],
      { encoding: "utf8" },
    );
    if (done.status !== 0) return { error: done.error?.message ?? done.stderr + done.stdout };
    return { bytes: readFileSync(file) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const text = (modules) => [
  `// Made of kernels.ts by build_kernels.js (${COMPILER}).`,
  "",
  "// The WebAssembly modules of the block operations, deflated (raw), in base64: one that fuses",
  "// products with sums, and one for browsers and processors that do not.",
  ...Object.entries(modules).map(([name, bytes]) =>
    `export const ${name} = "${deflateRawSync(bytes, { level: 9 }).toString("base64")}";`),
  "",
].join("\n");

/** The bytes that wasm.js holds; how they were deflated does not matter. */
function held(target, name) {
  const [, packed] = readFileSync(target, "utf8").match(new RegExp(`${name} = "([^"]*)"`));
  return inflateRawSync(Buffer.from(packed, "base64"));
}

const modules = {};
for (const [name, features] of Object.entries(MODULES)) {
  const { bytes, error } = compile(features);
  if (error) {
    console.error(error);
    process.exit(2);
  }
  modules[name] = bytes;
}
const target = join(ENGINE, "wasm.js");
if (!process.argv.includes("--check")) writeFileSync(target, text(modules));
else if (Object.entries(modules).some(([name, bytes]) => !held(target, name).equals(bytes))) {
  console.error("wasm.js is not what kernels.ts compiles to: run node tests/js/build_kernels.js");
  process.exit(1);
}
