// JupyterLab runs this before it starts, as it does with every extension.
//
// anywidget gives a widget's code two seconds to start; one that comes later is drawn, but hears
// nothing of its kernel any more. A lesson brings some sixty widgets at once, and a busy machine
// takes longer. (The dashboard's page does the same for itself, in page.js.)
(() => {
  const after = AbortSignal.timeout.bind(AbortSignal);
  const asksForWidget = () => new Error().stack.includes("anywidget");
  AbortSignal.timeout = (ms) => after(ms === 2000 && asksForWidget() ? 60000 : ms);

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB.flowviz = { init() {} }; // it offers the other extensions nothing
})();
