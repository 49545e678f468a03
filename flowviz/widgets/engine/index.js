// The engine as one module, for pages that load it by itself.

import { Engine, Program } from "./engine.js";
import { ProgramError } from "./format.js";
import { Parameters } from "./parameters.js";
import { Generator } from "./random.js";
import { Normal, Table } from "./sources.js";
import { Trainer } from "./trainer.js";
import { serve, train } from "./worker.js";

export default {
  Engine, Generator, Normal, Parameters, Program, ProgramError, Table, Trainer, serve, train,
};
