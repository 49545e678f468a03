// The widget's entry: a waterfall that fills as the stage goes through the layers.

import { throttle } from "../stage/throttle.js";
import { titled, unpack } from "./figure.js";
import { Follower } from "./follow.js";
import { ChartView } from "./view.js";
import { barAt, waterfall } from "./waterfall.js";

/** plotly takes most of a frame: while a film is scrubbed, the bars follow at so many ms. */
const FILM = 100;

class BarView extends ChartView {
  constructor(model, el) {
    super(model, el, ["names", "contributions", "title"]);
    this.unpackRows();
    this.on("change:contributions", () => this.unpackRows());
    this.askForMoment = throttle(this.ask, FILM);
    this.follower = new Follower(model, () => this.follow());
    this.ends.push(() => {
      this.follower.remove();
      this.askForMoment.cancel();
    });
    this.plot.addEventListener("click", (event) => this.goToBar(event));
  }

  unpackRows() {
    this.rows = unpack(this.get("contributions"));
  }

  /** The row that is shown and the bar that is lit, null where no clock says which. */
  get state() {
    const { player, moment } = this.follower;
    const row = moment >= 0 && moment + 1 < this.rows.length ? moment + 1 : 0;
    const lit = player && player.last > 0
      ? barAt(player.position, player.stretches, this.rows[row].length)
      : null;
    return { row, lit };
  }

  /** The clock moved: plotly draws again only where another bar or moment is at hand. */
  follow() {
    this.el.classList.toggle("fv-chart-seeking", this.follower.player != null);
    const { row, lit } = this.state;
    if (lit !== this.shown?.lit) this.ask();
    else if (row !== this.shown.row) this.askForMoment();
  }

  drawn() {
    this.follower.start();
  }

  figure(size, widthOf) {
    const { row, lit } = this.state;
    this.shown = { row, lit };
    const layout = titled({ title: { text: this.get("title") } }, size.width, widthOf);
    return waterfall({ names: this.get("names"), rows: this.rows, row, lit, layout, size, widthOf });
  }

  /** To the state behind the layer whose column was pressed. */
  goToBar(event) {
    const { xaxis } = this.axes;
    const count = this.get("names").length;
    if (!xaxis || count === 0) return;
    const along = this.along(event);
    if (along < 0 || along > xaxis._length) return;
    const layer = Math.min(Math.max(Math.round(xaxis.p2d(along)), 1), count);
    this.follower.act((player) => {
      player.pause();
      player.seek(layer * player.stretches);
    });
  }
}

export default {
  render({ model, el }) {
    const view = new BarView(model, el);
    return () => view.remove();
  },
};
