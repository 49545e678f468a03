// The block operations in WebAssembly, where the page has it.

/** The compiled module; null where there is none. */
export async function compiled() {
  return null;
}

/** Memory for `size` numbers and the operations over it; null where that is refused. */
export function fastBlocks() {
  return null;
}
