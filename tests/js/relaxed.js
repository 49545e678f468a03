// Node 20 has relaxed SIMD as today's browsers do, but behind a flag; older ones have another draft of it.

import v8 from "node:v8";

if (process.versions.node.startsWith("20.")) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
