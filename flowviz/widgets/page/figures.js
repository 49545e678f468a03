// Numbers beside the pictures of a page of its own: a table of a few rows.

import { make } from "../stage/dom.js";

export class Figures {
  /** title: what they are. columns: over the numbers, or none. */
  constructor(title, columns = []) {
    this.columns = columns;
    this.body = make("tbody", {});
    const over = make("tr", {}, make("th", {}), ...columns.map((name) => make("th", { scope: "col" }, name)));
    this.element = make(
      "table", { class: "fv-stage-figures", "aria-label": title },
      make("thead", {}, ...(columns.length ? [over] : [])), this.body,
    );
  }

  /** rows: [name, texts, voice], the last where they have one. */
  show(rows) {
    this.body.replaceChildren(...rows.map(([name, texts, voice]) => make(
      "tr", { "data-voice": voice },
      make("th", { scope: "row" }, name), ...texts.map((text) => make("td", {}, text)),
    )));
  }
}
