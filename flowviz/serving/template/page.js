// The page's own life: what it shows until the widgets are there, and what it does when the
// kernel or the connection is lost.
(() => {
  const byId = (id) => document.getElementById(id);
  const config = () => JSON.parse(byId("jupyter-config-data")?.textContent ?? "null");
  const kernelId = () => document.body.dataset.kernelId;

  // anywidget gives a widget's code two seconds to start and then leaves the widget out for good;
  // a busy machine may take longer.
  const after = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => after(ms === 2000 ? 60000 : ms);

  // Until the widgets are there; what it waits for is said when that takes long.
  const PATIENCE = 20000;
  let late = false;
  let waitsFor = () => "the server to start Python";
  // A link may ask for more than a machine can do in time; without its settings the panel opens.
  const plainly = () => {
    const given = new URLSearchParams(location.search);
    const kept = ["panel", "token"].filter((name) => given.has(name));
    if (!given.has("panel") || given.size === kept.length) return [];
    const link = document.createElement("a");
    link.href = `?${new URLSearchParams(kept.map((name) => [name, given.get(name)]))}`;
    link.textContent = "Open the panel without the link's settings";
    return [" ", link];
  };
  const sayWhatFor = () => {
    if (!late || !byId("fv-loading")) return;
    const said =
      `This takes longer than usual: the page is waiting for ${waitsFor()}. Reloading may help.`;
    const note = byId("fv-loading-note");
    if (!note.textContent.startsWith(said)) note.replaceChildren(said, ...plainly());
  };
  setTimeout(() => {
    late = true;
    sayWhatFor();
    setInterval(sayWhatFor, 1000);
  }, PATIENCE);
  const progress = (fraction, text) => {
    if (!byId("fv-loading")) return;
    sayWhatFor();
    byId("fv-loading-bar").style.transform = `scaleX(${fraction})`;
    if (text) byId("fv-loading-text").textContent = text;
  };
  const reveal = () => {
    if (!byId("fv-loading")) return;
    byId("rendered_cells").style.display = "";
    byId("fv-loading").remove();
    // Widgets that measured themselves while hidden measure again.
    dispatchEvent(new Event("resize"));
  };
  window.voila_heartbeat = () => {};
  window.voila_process = (cell, count) => {
    waitsFor = () => "PyTorch to load and the page's cells to run";
    progress(0.15 + (0.55 * cell) / count, cell > 1 || count === 1 ? "Preparing the page…" : "");
  };
  window.update_loading_text = (cell, count, text) => progress(0.7, text);
  window.voila_finish = window.display_cells = () => {
    // Voila calls this after the last cell and again when its front end has started.
    if (!window.themeLoaded) {
      window.cellLoaded = true;
      waitsFor = () => "the widgets' scripts to come from the server and to start";
      progress(0.75, "Drawing…");
      return;
    }
    const cells = byId("rendered_cells");
    const scripts = [...cells.querySelectorAll('script[type="application/vnd.voila.cell-output+json"]')];
    const outputs = scripts.map((script) => ({
      place: script.parentElement,
      content: JSON.parse(script.textContent),
    }));
    if (outputs.some(({ content }) => content.output_type === "error")) {
      reveal();
      tell("The page could not be built completely; what went wrong is in the server's log.");
      return;
    }
    cells.style.display = "";
    const views = outputs.filter(({ content }) => WIDGET in (content.data ?? {}));
    if (views.length === 0) return reveal();
    waitsFor = () => (sockets.size ? "the kernel to send the widgets" : "the connection to the kernel");
    progress(0.9);
    const observer = new MutationObserver(look);
    function look() {
      for (const view of views.filter(isLost)) redraw(view);
      if (views.some(isDrawn)) reveal();
      if (views.every(isDrawn)) observer.disconnect();
    }
    observer.observe(cells, { childList: true, subtree: true });
    look();
  };

  // ipywidgets looks for a widget's model for two seconds and then gives it up for good, also when
  // the models of a busy kernel have come in the meantime: such an output is drawn again.
  const WIDGET = "application/vnd.jupyter.widget-view+json";
  const isLost = ({ place }) => place.textContent.trim() === "Error displaying widget: model not found";
  const isDrawn = (view) =>
    view.place.querySelector(".jupyter-widgets, .widget-subarea *") !== null && !isLost(view);
  const redraw = async (view) => {
    view.place.replaceChildren();
    try {
      const app = window.jupyterapp;
      // The front end does not hand its renderers out; the plugin that uses them knows the way.
      const [token] = app.pluginRegistry._plugins.get("@voila-dashboards/voila:render-outputs").requires;
      const renderers = await app.resolveRequiredService(token);
      const widget = renderers.createRenderer(WIDGET);
      widget.addClass("jp-OutputArea-output");
      widget.constructor.attach(widget, view.place);
      await widget.renderModel(view.content);
    } catch {
      reveal();
      tell("The page could not be drawn completely.");
    }
  };

  // A formula wider than the page is scrolled by keyboard, too. (The body grows as they are set.)
  addEventListener("DOMContentLoaded", () => new ResizeObserver(() => {
    for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
      formula.toggleAttribute("tabindex", formula.scrollWidth > formula.clientWidth);
      if (formula.hasAttribute("tabindex")) formula.tabIndex = 0;
    }
  }).observe(document.body));

  // When the kernel or the connection is lost.
  let lost = false; // for good: only a reload helps
  const tell = (text) => {
    const notice = byId("fv-notice");
    notice.querySelector("p").textContent = text;
    notice.querySelector("button").onclick = () => location.reload();
    notice.hidden = false;
  };
  const takeBack = () => { if (!lost) byId("fv-notice").hidden = true; };
  const lose = (text) => {
    if (lost) return;
    lost = true;
    tell(text);
  };
  const ENDED = {
    403: "The server was started again, and it asks for its token anew.",
    404: "This page's session has ended: after a long pause, or with a new start of the server.",
  };
  const check = async () => {
    if (lost || !kernelId()) return false;
    const { token } = document.body.dataset; // where there are no cookies
    const headers = token ? { Authorization: `token ${token}` } : {};
    try {
      const reply = await fetch(`${config().baseUrl}api/kernels/${kernelId()}`, { headers });
      if (reply.status in ENDED) lose(ENDED[reply.status]);
      return reply.ok;
    } catch {
      return false; // no connection: the socket's own close tells
    }
  };
  // The front end waits longer and longer between its tries to reconnect, and then gives up; the
  // page tries for as long as it is open.
  const lookAfter = async () => {
    if (document.hidden || !(await check()) || attempts.size) return;
    const kernel = window.jupyterapp?.widgetManager?.kernel;
    // A page that is being left has given its connection up already.
    if (kernel && !kernel.isDisposed) kernel.reconnect().catch(() => {});
  };
  addEventListener("visibilitychange", lookAfter);
  addEventListener("online", lookAfter);
  setInterval(lookAfter, 30000);
  setInterval(() => { if (!byId("fv-loading") && !attempts.size) lookAfter(); }, 3000);

  // A kernel answers within moments, also while a flow trains; one that is stuck does not.
  const SILENCE = 15000;
  let silence = null; // a timer, while the kernel has something to do
  let waits = false;
  let silent = false;
  const listen = () => {
    clearTimeout(silence);
    if (!waits) return;
    silence = setTimeout(() => {
      if (lost || byId("fv-loading") || !sockets.size) return;
      silent = true;
      tell("The computation behind this page has not answered for a while: it is busy, or stuck.");
    }, SILENCE);
  };
  const asked = () => {
    if (waits) return;
    waits = true;
    listen();
  };
  const heard = (state) => {
    if (state === "busy") waits = true;
    if (state === "idle") waits = false;
    if (silent) takeBack();
    silent = false;
    listen();
  };

  // The kernel's status: header and content of a message, in either of Jupyter's two forms.
  const status = (data) => {
    if (typeof data === "string") {
      if (data.length > 4000) return null;
      const message = JSON.parse(data);
      return message.header?.msg_type === "status" ? message.content?.execution_state : null;
    }
    if (!(data instanceof ArrayBuffer) || data.byteLength > 4000) return null;
    const view = new DataView(data);
    const offset = (index) => Number(view.getBigUint64(8 * (index + 1), true));
    const part = (index) => JSON.parse(
      new TextDecoder().decode(data.slice(offset(index), offset(index + 1))),
    );
    return part(1).msg_type === "status" ? part(4).execution_state : null;
  };
  let leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  const attempts = new Set(); // sockets that are open, or may be soon
  const sockets = new Set(); // those that are open
  const watch = (socket) => {
    attempts.add(socket);
    socket.addEventListener("open", () => {
      sockets.add(socket);
      takeBack();
    });
    socket.addEventListener("message", (event) => {
      const state = status(event.data);
      heard(state);
      if (state === "restarting" || state === "dead") {
        lose("The computation behind this page stopped, and what it held is gone.");
      }
    });
    socket.addEventListener("close", () => {
      attempts.delete(socket);
      sockets.delete(socket);
      heard("idle");
      setTimeout(() => {
        if (lost || leaving || sockets.size) return;
        tell("The connection to the server is lost. Trying to reconnect…");
        check();
      }, 1500);
    });
  };
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...options) {
      super(...options);
      if (/\/api\/kernels\/.*\/channels/.test(String(options[0]))) watch(this);
    }
    send(data) {
      if (sockets.has(this)) asked();
      super.send(data);
    }
  };
})();
