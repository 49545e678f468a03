// plotly.js, once for a page: from the server's URL where there is one, else from the kernel; and
// not before the page has shown its stages, for it takes a second to fetch and to run.

const KEY = "__flowvizPlotly";

/** The page-wide promise of Plotly. `ask` gets the gzipped module from the kernel. */
export function loadPlotly(ask) {
  globalThis[KEY] ??= load(ask).catch((error) => {
    delete globalThis[KEY]; // the next chart may have more luck
    throw error;
  });
  return globalThis[KEY];
}

/** A page that is never idle has its charts after so many milliseconds all the same. */
const PATIENCE = 1500;

/**
 * Resolves when the stages of the page have had the time to draw: two frames on, where there is a
 * stage, once the page is idle.
 */
export function afterThePictures({ requestAnimationFrame, requestIdleCallback, setTimeout, document }) {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const idle = () => new Promise((resolve) => {
    if (requestIdleCallback) requestIdleCallback(resolve, { timeout: PATIENCE });
    else setTimeout(resolve, PATIENCE / 5); // Safari
  });
  return frame().then(frame).then(() => document.querySelector(".fv-stage") && idle());
}

async function load(ask) {
  await afterThePictures(globalThis);
  const url = bundleUrl(document.getElementById("jupyter-config-data")?.textContent);
  if (url) {
    try {
      return (await import(url)).default;
    } catch (error) {
      console.warn(`flowviz: ${url} could not be loaded; asking the kernel instead`, error);
    }
  }
  const blob = new Blob([await unpacked(await ask())], { type: "text/javascript" });
  const local = URL.createObjectURL(blob);
  try {
    return (await import(local)).default;
  } finally {
    URL.revokeObjectURL(local);
  }
}

/** The address that the page's configuration names, or null. */
export function bundleUrl(configText, origin = globalThis.location?.href) {
  if (!configText) return null;
  const config = JSON.parse(configText);
  if (!config.flowvizPlotly) return null;
  return new URL(config.flowvizPlotly, new URL(config.baseUrl ?? "/", origin)).href;
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Asks a widget's kernel for the gzipped module. */
export function askKernel(model) {
  return new Promise((resolve, reject) => {
    const receive = (message, buffers) => {
      if (message?.kind !== "plotly") return;
      model.off("msg:custom", receive);
      if (buffers.length) resolve(buffers[0]);
      else reject(new Error("the kernel sent no plotly.js"));
    };
    model.on("msg:custom", receive);
    model.send({ kind: "plotly" });
  });
}
