// Tells an LMS, by SCORM 1.2, how far its learner is with this item: incomplete from its first
// opening on, completed once it was used, and how long it was open. Without an LMS, as when it is
// opened from a disk, it only shows its page.

(() => {
  // ---- the LMS -------------------------------------------------------------------------------

  /** Its API: an object of that name in this window, one of those around it, or its opener's. */
  const find = () => above(window) ?? (top.opener && above(top.opener));

  function above(start) {
    for (let at = start; ; at = at.parent) {
      const api = apiOf(at);
      if (api || at === at.parent) return api;
    }
  }

  function apiOf(window_) {
    try {
      return window_.API ?? null;
    } catch {
      return null; // a window of another site
    }
  }

  /** A session with the LMS, from here until this page is left; null where it takes none. */
  function begin(api) {
    const began = Date.now();
    if (!api || String(api.LMSInitialize("")) !== "true") return null;
    const set = (name, value) => api.LMSSetValue(`cmi.core.${name}`, value);
    let status = String(api.LMSGetValue("cmi.core.lesson_status"));
    const settled = () => ["completed", "passed", "failed"].includes(status);
    const become = (next) => {
      set("lesson_status", status = next);
      api.LMSCommit("");
    };
    let over = false;
    const save = () => {
      if (over) return;
      set("session_time", timespan(Date.now() - began));
      // Who was not done goes on there.
      set("exit", settled() ? "" : "suspend");
      api.LMSCommit("");
    };

    if (!settled()) become("incomplete");
    // On a phone a page that is hidden may never hear that it ends.
    document.addEventListener("visibilitychange", () => { if (document.hidden) save(); });
    addEventListener("pagehide", () => {
      save();
      api.LMSFinish("");
      over = true;
    });
    // Back from the browser's memory: the session is over, and a new one begins.
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    return { complete: () => { if (!settled()) become("completed"); } };
  }

  /** Milliseconds as SCORM's CMITimespan, HHHH:MM:SS.SS. */
  function timespan(milliseconds) {
    const hundredths = Math.round(milliseconds / 10);
    const part = (size, of, digits) => String(Math.floor(hundredths / size) % of).padStart(digits, "0");
    return `${part(360000, 10000, 4)}:${part(6000, 60, 2)}:${part(100, 60, 2)}.${part(1, 100, 2)}`;
  }

  // ---- the page ------------------------------------------------------------------------------

  /** A panel was used: something of its picture or its bar was pressed, dragged or chosen. */
  function onceUsed(page, done) {
    const used = ({ type, target, defaultPrevented }) => {
      // A key that did something; Tab and the like only go past.
      if (type === "keydown" ? defaultPrevented : target.closest(".fv-stage-frames, footer, select")) done();
    };
    for (const type of ["pointerdown", "click", "input", "keydown"]) {
      page.defaultView.addEventListener(type, used);
    }
  }

  /** A lesson was read: its end was seen, and the answer to each of its predictions. */
  function onceRead(lesson, done) {
    const left = new Set([lesson.lastElementChild, ...lesson.querySelectorAll(".fv-question details")]);
    const seen = (part) => {
      left.delete(part);
      if (left.size === 0) done();
    };
    const { IntersectionObserver } = lesson.ownerDocument.defaultView;
    new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) seen(target);
    }).observe(lesson.lastElementChild);
    lesson.addEventListener("toggle", ({ target }) => { if (target.open) seen(target); }, true);
  }

  const session = begin(find());
  if (!session) return;
  // The frame's page, and each that is gone to from there.
  document.addEventListener("load", ({ target }) => {
    if (!target.matches("iframe")) return;
    const page = target.contentDocument;
    const lesson = page.querySelector("main.fv-lesson");
    if (lesson) onceRead(lesson, session.complete);
    else onceUsed(page, session.complete);
  }, true);
})();
