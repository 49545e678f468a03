// The widget's entry.

import { render } from "./run_bar_view.js";

export default { render };
