// The stand-alone page; Python reads it from here as well (export.py). Keep it free of expressions.

export const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>@@title@@</title>
<style>
@@css@@
html, body { height: 100%; margin: 0; }
body.fv { background: var(--fv-page); }
main { height: 100vh; height: 100dvh; }
</style>
</head>
<body class="fv">
<main class="fv-stage-page"></main>
<script type="application/json">@@state@@<\/script>
<script type="module">
@@esm@@
globalThis.flowviz = $main.standalone(document.querySelector("main"), JSON.parse(document.scripts[0].textContent));
<\/script>
</body>
</html>
`;

/** The page, from its parts: title (text), css, esm (a linked module) and state (an object). */
export function page({ title, css, esm, state }) {
  const parts = {
    title: title.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]),
    css,
    esm: esm.replace(/<\/(script)/gi, "<\\/$1"),
    state: JSON.stringify(state).replace(/</g, "\\u003c"),
  };
  return SHELL.replace(/@@(\w+)@@/g, (_, name) => parts[name]);
}
