// Following the lecturer: the panel takes the lecturer's state as it moves, and a student's own state
// comes back with one press.

const OWN = "flowviz.class.own";
const ALONE = "flowviz.class.alone";
const PATIENCE = 2000; // ms until a kernel that has not answered is asked again

/**
 * A student's side, without a page: where the dashboard is, where the lecturer is, and which of the
 * two it shows.
 *
 * `phase` is "" (nobody leads), "following", "alone" (let go) or "over" (the lecturer has stopped, and
 * the student's own state is still kept).
 */
export class Following {
  /** `visit(query)` takes the dashboard to a state; `keep` holds texts while the tab lives. */
  constructor(visit, keep, changed) {
    this.visit = visit;
    this.keep = keep;
    this.changed = changed;
    this.lead = null;
    this.here = null; // the dashboard's state; null until there is one
    this.went = null; // where this has taken it last
    this.waits = null; // the timer of a step that the kernel has not answered yet
  }

  get own() { return this.keep.getItem(OWN); }

  get alone() { return this.keep.getItem(ALONE) !== null; }

  get phase() {
    if (this.lead !== null) return this.alone ? "alone" : "following";
    return this.own !== null ? "over" : "";
  }

  /** The lecturer is there now; null: leads no more. */
  led(query) {
    this.lead = query;
    if (query === null && this.alone) {
      // Who has let go has nothing to come back to, and the next lead is a new one.
      this.keep.removeItem(ALONE);
      this.settle();
    }
    this.go();
  }

  /** The dashboard is there now. */
  at(query) {
    this.here = query;
    this.arrived();
  }

  /** Stay where the lecturer has led to, and go on alone from there. */
  letGo() {
    this.keep.setItem(ALONE, "");
    this.changed();
  }

  /** Follow again; what was made alone is the own state that one can come back to. */
  follow() {
    if (this.here !== null && this.here !== this.went) this.keep.setItem(OWN, this.here);
    this.keep.removeItem(ALONE);
    this.went = null;
    this.go();
  }

  /** Back to the student's own state. */
  back() {
    const own = this.own;
    this.settle();
    if (own !== null) this.visit(own);
  }

  /** The kernel has answered, or will not: the next step may be made. */
  arrived() {
    clearTimeout(this.waits);
    this.waits = null;
    this.go();
  }

  /** What is shown is the student's own from now on. */
  settle() {
    this.keep.removeItem(OWN);
    this.went = null;
    clearTimeout(this.waits);
    this.waits = null;
    this.changed();
  }

  /** Go where the lecturer is, one step at a time: a busy kernel leaves out what it cannot follow. */
  go() {
    const behind = this.phase === "following" && this.went !== this.lead;
    if (behind && this.here !== null && this.waits === null) {
      if (this.own === null) this.keep.setItem(OWN, this.here);
      this.went = this.lead;
      this.waits = setTimeout(() => this.arrived(), PATIENCE);
      this.visit(this.lead);
    }
    this.changed();
  }
}

/** The part of a state that others follow: not how large the lecturer shows it. */
export function followed(query) {
  return query.split("&").filter((part) => !/^(present|compact)=/.test(part)).join("&");
}

const PAUSE = 150; // ms between two messages of the lecturer's page

/** The lecturer's side: says where the dashboard is, the newest place alone. */
export class Leading {
  constructor(say, failed) {
    this.say = say;
    this.failed = failed;
    this.next = null;
    this.busy = false;
  }

  at(query) {
    this.tell({ query: followed(query) });
  }

  /** In its turn: what was said before must not arrive after it. */
  stop() {
    this.tell({ query: null });
  }

  tell(message) {
    this.next = message;
    if (!this.busy) this.send();
  }

  async send() {
    this.busy = true;
    while (this.next !== null) {
      const message = this.next;
      this.next = null;
      try {
        await this.say(message);
      } catch (error) {
        this.failed(error);
      }
      await new Promise((done) => { setTimeout(done, PAUSE); });
    }
    this.busy = false;
  }
}
