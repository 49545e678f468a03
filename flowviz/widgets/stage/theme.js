// The theme's tokens as numbers, read from the CSS custom properties of the stage's element.

import { parseColour } from "./palette.js";

const TOKENS = [
  "page", "card", "ink", "muted", "line", "accent",
  "forward", "reverse", "contract", "expand", "neutral", "sequential",
  "group-1", "group-2", "group-3", "group-4",
];

/** Each token as [r, g, b], and under `css` as written; `font` is the font family. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const theme = { css: {}, font: style.fontFamily || "sans-serif" };
  for (const token of TOKENS) {
    const written = style.getPropertyValue(`--fv-${token}`).trim();
    if (!written) throw new Error(`the style sheet lacks --fv-${token}`);
    theme.css[token] = written;
    theme[token] = parseColour(written);
  }
  return theme;
}

/** Calls back when the display's pixels get another size: zoom, or another screen. Returns an end. */
export function watchRatio(changed) {
  let media;
  const heard = () => {
    watch();
    changed();
  };
  const watch = () => {
    media?.removeEventListener("change", heard);
    media = matchMedia(`(resolution: ${globalThis.devicePixelRatio}dppx)`);
    media.addEventListener("change", heard);
  };
  watch();
  return () => media.removeEventListener("change", heard);
}

/** Calls back when an ancestor's attributes or the system's colour scheme change. Returns an end. */
export function watchTheme(element, changed) {
  const observer = new MutationObserver(changed);
  // The element may not be on the page yet: the page's own switches are then not its ancestors.
  const nodes = new Set([document.documentElement, document.body]);
  for (let node = element; node; node = node.parentElement) nodes.add(node);
  for (const node of nodes) {
    observer.observe(node, {
      attributes: true,
      attributeFilter: ["class", "style", "data-theme", "data-fv-theme", "data-jp-theme-light"],
    });
  }
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    scheme.removeEventListener("change", changed);
  };
}
