// Training in a worker, so that the page never stops; and in the page where workers are refused.

import { Session } from "./session.js";

/** Milliseconds between two reports: about a picture. */
const FRAME = 16;
/** Milliseconds a picture that training may take in the page. */
const SHARE = 6;

/**
 * A function that has `call` called after what else is waiting: messages of the page come in
 * between. A timer would do it too, but rests for four milliseconds.
 */
function turns(call) {
  if (globalThis.setImmediate) return () => setImmediate(call);
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = call;
  return () => port2.postMessage(null);
}

/**
 * The worker's side: trains, and reports once a frame, when the last report was seen.
 *
 * @param {object} scope the worker's `self`.
 */
export function serve(scope) {
  let session = null;
  let seen = true;
  let turning = false;

  const report = () => {
    const message = session.report();
    seen = false;
    scope.postMessage({ report: message }, [
      message.losses.buffer, message.errors.buffer, message.parameters.buffer, message.averaged.buffer,
    ]);
  };
  const turn = turns(() => {
    turning = false;
    if (!session.runs) return;
    session.play(FRAME);
    if (seen || !session.runs) report();
    goOn();
  });
  const goOn = () => {
    if (turning || !session.runs) return;
    turning = true;
    turn();
  };
  const answers = {
    async setUp(setup) {
      try {
        session = await Session.of(setup);
        report();
      } catch (error) {
        scope.postMessage({ refused: error.message });
      }
    },
    run(steps) {
      session.left = steps;
      goOn();
    },
    follow(modes) {
      session.follow(modes);
    },
    stop() {
      if (!session.runs) return;
      session.left = 0;
      report();
    },
    seen() {
      seen = true;
    },
  };
  scope.onmessage = ({ data: { ask, value } }) => answers[ask](value);
}

/** A training run in a worker. */
class InWorker {
  constructor(worker, onReport) {
    this.kind = "worker";
    this.worker = worker;
    this.onReport = onReport;
  }

  /** Wait for the first report, or for words why there will be none. */
  ready(setup) {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new WorkerRefused(event.message));
      worker.onmessage = ({ data: { report, refused } }) => {
        if (refused) return reject(new Error(refused));
        worker.onmessage = (event) => this.take(event.data.report);
        worker.onerror = null;
        this.take(report);
        return resolve(this);
      };
      this.ask("setUp", setup);
    });
  }

  take(report) {
    this.ask("seen");
    this.onReport(report);
  }

  ask(ask, value) {
    this.worker.postMessage({ ask, value });
  }

  run(steps) {
    this.ask("run", steps);
  }

  follow(modes) {
    this.ask("follow", modes);
  }

  stop() {
    this.ask("stop");
  }

  end() {
    this.worker.terminate();
  }
}

/** A training run in the page, a few milliseconds a picture. */
class InPage {
  constructor(session, onReport) {
    this.kind = "page";
    this.session = session;
    this.onReport = onReport;
    this.waiting = null;
    onReport(session.report());
  }

  run(steps) {
    this.session.left = steps;
    this.waiting ??= soon(() => this.slice());
  }

  slice() {
    this.waiting = null;
    if (!this.session.runs) return;
    this.session.play(SHARE);
    if (this.session.runs) this.waiting = soon(() => this.slice());
    this.onReport(this.session.report());
  }

  follow(modes) {
    this.session.follow(modes);
  }

  stop() {
    if (!this.session.runs) return;
    this.session.left = 0;
    this.onReport(this.session.report());
  }

  end() {
    this.session.left = 0;
  }
}

const soon = (call) =>
  (globalThis.requestAnimationFrame ? requestAnimationFrame(call) : setTimeout(call, FRAME)) ?? true;

/** The page's policy, or the browser, gives no worker. */
class WorkerRefused extends Error {}

/**
 * Begin a training run: in a worker made of the page's own module, or in the page.
 *
 * @param {object} setup see `Session`.
 * @param {function(object): void} onReport gets `Session.report`s: one at once, then at most one a
 *   frame while it runs, and a last one when it stops.
 * @param {string|null} text the module that the page runs, as `flowviz.widgets.esm.module` writes
 *   it; its default export has `serve`, that of this file. Null: train in the page.
 * @returns {Promise<{kind: "worker"|"page", run: function(number): void,
 *   follow: function(Float32Array): void, stop: function(): void, end: function(): void}>} `run(k)`
 *   makes k steps (Infinity: until `stop`); `follow` as of `Session`; `end` frees it.
 * @throws {Error} the program is refused, in words.
 */
export async function train(setup, onReport, text = null) {
  if (text !== null) {
    try {
      return await new InWorker(workerOf(text), onReport).ready(setup);
    } catch (error) {
      if (!(error instanceof WorkerRefused)) throw error;
    }
  }
  return new InPage(await Session.of(setup), onReport);
}

const EXPORT = /\nexport default \$main;\s*$/;

function workerOf(text) {
  try {
    const source = `${text.replace(EXPORT, "")}\n$main.serve(self);\n`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    return worker;
  } catch (error) {
    throw new WorkerRefused(error.message);
  }
}
