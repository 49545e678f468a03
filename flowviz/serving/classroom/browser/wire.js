// What a page says to the class's server, and what it hears from it.

const SILENCE = 45000; // the server breathes every 15 s
const FIRST_WAIT = 2000;
const LONGEST_WAIT = 30000;

/** A name that this browser has drawn for itself, kept in `store`: all its tabs have the same. */
export function ownName(store) {
  const place = "flowviz.class.student";
  const kept = store.getItem(place);
  if (/^[0-9a-f]{32}$/.test(kept)) return kept;
  // randomUUID is only there on secure origins.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const drawn = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  store.setItem(place, drawn);
  return drawn;
}

function cookie(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** The token of a page that has no cookies, in a frame on another site; "" for others. */
const token = () => document.body?.dataset.token ?? "";

const later = (ms) => new Promise((done) => { setTimeout(done, ms); });

/**
 * Say something to the server; comes back when it is taken. Tries again where the network or the
 * server fails for a while. Throws, in the server's words, what is refused.
 */
export async function say(url, message, waits = [1000, 3000, 10000, 30000]) {
  for (const wait of [...waits, null]) {
    let refused = "the server cannot be reached";
    try {
      const reply = await fetch(url, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "X-XSRFToken": cookie("_xsrf"),
          ...(token() ? { Authorization: `token ${token()}` } : {}),
        },
        body: JSON.stringify(message),
      });
      if (reply.ok) return;
      refused = (await reply.json().catch(() => ({}))).message ?? `status ${reply.status}`;
      if (reply.status < 500 && reply.status !== 429) throw new Error(refused);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it is the network's
    }
    if (wait === null) throw new Error(refused);
    await later(wait * (0.5 + Math.random()));
  }
}

/**
 * Hear of the class while the page is in sight: `heard(kind, message)`, where `kind` is "hello",
 * "whole" or "change"; `missing(whether)` when the connection goes and comes.
 *
 * Out of sight the page lets go: a browser has few connections for all its tabs. Whoever comes back
 * is told the whole again.
 */
export function listen(url, heard, missing = () => {}) {
  let source = null;
  let timer = 0;
  let wait = FIRST_WAIT;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function open() {
    close();
    if (document.hidden) return;
    source = new EventSource(token() ? `${url}&token=${encodeURIComponent(token())}` : url);
    for (const kind of ["hello", "whole", "change", "breath"]) {
      source.addEventListener(kind, (event) => {
        wait = FIRST_WAIT;
        expect();
        if (kind === "whole") missing(false);
        if (kind !== "breath") heard(kind, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      missing(true);
      again();
    };
    expect();
  }

  /** A connection may be dead without anybody having said so. */
  function expect() {
    clearTimeout(timer);
    timer = setTimeout(open, SILENCE);
  }

  /** The browser gives up for good where it is refused, as while the server starts again. */
  function again() {
    close();
    // Not all at once.
    timer = setTimeout(open, wait * (0.5 + Math.random()));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
}
