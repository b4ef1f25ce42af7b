// Whether this browser gives the answers that Python gave on the machine that made the page.

import { largestOf } from "./classifier.js";
import { decoded } from "./decode.js";

/**
 * Yield `{clip, difference, same, expected, found}` for each clip of a model, as they are ready.
 *
 * `difference` is the largest of a logit, `same` whether the largest logit is the same label's.
 */
export async function* compared(contract, clips, runtime) {
  for (const clip of clips) {
    const answer = await fetch(clip.file);
    const { samples } = await decoded(await answer.arrayBuffer(), contract.sample_rate);
    const { logits } = await runtime.answer(contract, samples);
    const expected = clip.logits[contract.name];
    const difference = Math.max(...logits.map((value, at) => Math.abs(value - expected[at])));
    const [wanted, found] = [largestOf(expected), largestOf(logits)];
    yield { clip, difference, same: wanted === found, expected: wanted, found, logits };
  }
}

/** Return the comparison of a model's clips in a sentence or two. */
export const parityWords = (rows, { tolerance }, isTraced) => {
  const same = rows.filter((row) => row.same).length;
  const largest = Math.max(...rows.map((row) => row.difference));
  const words = `${same} of ${rows.length} clips: the same emotion; largest difference of a logit ${largest.toPrecision(2)}`;
  if (largest <= tolerance) return `${words}, within the ${tolerance} that rounding may make.`;
  const where = isTraced ? "Node by node says where it begins" : "A page made with serval web --trace says where it begins";
  return `${words}, more than the ${tolerance} that rounding may make. ${where}.`;
};
