// The token in the address. Where the browser keeps cookies it has done its work with the first
// page, and stays out of copied links and of the history. In a frame on another site there are no
// cookies: there it stays, and goes with whatever the page asks of its server.
(() => {
  const here = new URL(location.href);
  const token = here.searchParams.get("token");
  if (!token) return;

  const keepsCookies = () => {
    try {
      document.cookie = "flowviz-asks=1; SameSite=Lax";
      const kept = document.cookie.includes("flowviz-asks=1");
      document.cookie = "flowviz-asks=1; SameSite=Lax; Max-Age=0";
      return kept;
    } catch {
      return false; // a sandboxed frame
    }
  };
  if (keepsCookies()) {
    here.searchParams.delete("token");
    history.replaceState(history.state, "", here);
    return;
  }

  // Where JupyterLab's scripts look for what their requests and sockets have to show.
  document.body.dataset.token = token;
  document.body.dataset.appendToken = "true";

  const withToken = (address) => {
    const url = new URL(address, location.href);
    if (url.origin === location.origin) url.searchParams.set("token", token);
    return url.href;
  };
  // Before a link is followed, opened in a tab or copied.
  for (const event of ["pointerdown", "click"]) {
    document.addEventListener(event, ({ target }) => {
      const link = target.closest?.("a[href]");
      if (link) link.href = withToken(link.href);
    }, true);
  }
  // By which the page's front end ends its kernel when it is left.
  const send = navigator.sendBeacon.bind(navigator);
  navigator.sendBeacon = (address, data) => send(withToken(address), data);
})();
