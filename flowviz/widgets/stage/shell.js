// The stand-alone page; Python reads it from here as well (export.py). Keep it free of expressions.

export const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@@title@@</title>
<style>
@@css@@
html, body { margin: 0; }
body.fv { background: var(--fv-page); min-height: 100vh; }
main { max-width: min(760px, 100vh); margin: 0 auto; padding: 16px; }
</style>
</head>
<body class="fv">
<main></main>
<script type="application/json">@@state@@<\/script>
<script type="module">
@@esm@@
globalThis.stage = $main.standalone(document.querySelector("main"), JSON.parse(document.scripts[0].textContent));
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
