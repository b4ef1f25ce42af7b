// Which node computes otherwise than in Python, told from every tensor of one second of a clip.

import { decoded } from "./decode.js";
import { percent } from "./dom.js";

const TINY = 1e-12;
const NEARLY = 0.5;
/** Of the limit: from here on a tensor is no equal input, since differences are estimates. */

// The RMS of the difference of a tensor, estimated by its sums, over its RMS in Python.
const differenceOf = (step, { shape, sums }) => {
  if (shape.join() !== step.shape.join()) return Infinity;
  const squares = sums.reduce((sum, value, k) => sum + (value - step.sums[k]) ** 2, 0) / sums.length;
  return Math.sqrt(squares) / Math.max(step.norm, TINY);
};

/**
 * Return `{node, op, difference, differs, isOwn}` for the waveform and each tensor, in their order.
 *
 * `isOwn` is whether a tensor differs though what its node takes does not.
 */
export const traced = async (contract, trace, runtime) => {
  const answer = await fetch(trace.clip);
  const { samples } = await decoded(await answer.arrayBuffer(), contract.sample_rate);
  const tensors = await runtime.trace(contract, trace, samples.slice(0, trace.samples));
  const unequal = new Set();
  return trace.steps.map((step, at) => {
    const difference = differenceOf(step, tensors[at]);
    const differs = !(difference <= trace.limit);
    const isOwn = differs && !step.inputs.some((name) => unequal.has(name));
    if (!(difference <= NEARLY * trace.limit)) unequal.add(step.output);
    return { node: step.node || "waveform", op: step.op, difference, differs, isOwn };
  });
};

/** Return what a trace says, in a sentence or two. */
export const traceWords = (rows, limit) => {
  const different = rows.filter((row) => row.differs);
  const largest = Math.max(...rows.map((row) => row.difference));
  if (!different.length) {
    return `All ${rows.length - 1} tensors agree with Python within ${percent(limit)} of their RMS; largest difference ${largest.toPrecision(2)}.`;
  }
  const own = rows.filter((row) => row.isOwn);
  const [first] = own;
  return `The first that differs: ${first.node} (${first.op}), by ${first.difference.toPrecision(2)} of its RMS. ` +
    `${own.length} of ${rows.length - 1} tensors differ though what goes into them does not, ${different.length - own.length} after them.`;
};
