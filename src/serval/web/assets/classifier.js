// One clip -> what the graph wants -> probabilities: the same steps as `serval.models.classifier`
// and `serval.probabilities`, with the names that they have there.

const TINY = 1.1754943508222875e-38; // the smallest normal float32
const LARGEST_SCORE = 1 - 2 ** -25;

const peakNormalized = (samples) => {
  let peak = 0;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  return peak > 0 ? samples.map((value) => value / peak) : samples;
};

const zscored = (samples) => {
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples.length;
  const scale = Math.sqrt(variance + 1e-7);
  return samples.map((value) => (value - mean) / scale);
};

const NORMALIZED = { peak: peakNormalized, zscore: zscored, none: (samples) => samples };

/** Return the samples cut, normalised, filled up with zeros, and how many of them are the clip. */
export const prepared = (samples, contract) => {
  const length = contract.static_samples ?? samples.length;
  const heard = samples.subarray(0, length);
  const wave = new Float32Array(length);
  wave.set(NORMALIZED[contract.normalize](heard));
  return { wave, valid: heard.length };
};

const ARRAYS = {
  float32: (values) => Float32Array.from(values),
  float64: (values) => Float64Array.from(values),
  int64: (values) => BigInt64Array.from(values, BigInt),
  int32: (values) => Int32Array.from(values),
  int8: (values) => Int8Array.from(values),
  uint8: (values) => Uint8Array.from(values),
  bool: (values) => Uint8Array.from(values),
};

const SHAPES = {
  "batch samples": (n) => [1, n],
  "batch 1 samples": (n) => [1, 1, n],
  "batch samples 1": (n) => [1, n, 1],
  samples: (n) => [n],
};

const maskShape = (rank, n) => (rank === 1 ? [n] : [1, ...Array(rank - 2).fill(1), n]);

/** Return the inputs of the graph for one clip, as tensors of `ort`. */
export const feedsOf = (ort, { wave, valid }, contract) => {
  const { input, mask, layout } = contract;
  const values = input.type === "float32" ? wave : ARRAYS[input.type](wave);
  const feeds = { [input.name]: new ort.Tensor(input.type, values, SHAPES[layout](wave.length)) };
  if (mask) {
    const marked = contract.masks_padding ? valid : wave.length;
    const [inside, outside] = contract.mask_marks === "valid" ? [1, 0] : [0, 1];
    const marks = Array.from(wave, (_, n) => (n < marked ? inside : outside));
    feeds[mask.name] = new ort.Tensor(mask.type, ARRAYS[mask.type](marks), maskShape(mask.rank, wave.length));
  }
  return feeds;
};

/** Return the scores with a column for each label: one output tells two of them apart. */
const withEveryLabel = (scores, contract) => {
  if (!contract.one_output || scores.length !== 1) return scores;
  return [contract.outputs === "probabilities" ? 1 - scores[0] : 0, scores[0]];
};

/** Return the logits of what the graph gave, such that `probabilitiesOf` undoes it. */
export const logitsOf = (output, contract) => {
  const scores = withEveryLabel(Array.from(output, Number), contract);
  if (scores.length !== contract.labels.length || !scores.every(Number.isFinite)) {
    throw new Error("the model answered with NaN or infinite scores");
  }
  if (contract.outputs === "probabilities") return scores.map((p) => Math.log(Math.max(p, TINY)));
  if (contract.outputs !== "sigmoid" || contract.adds_sigmoid) return scores;
  return scores.map((score) => {
    const p = Math.min(Math.max(score, TINY), LARGEST_SCORE);
    return Math.log(p / (1 - p));
  });
};

/** Return a probability for each label: a softmax, or for `sigmoid` a score for each alone. */
export const probabilitiesOf = (logits, outputs) => {
  if (outputs === "sigmoid") return logits.map((value) => 1 / (1 + Math.exp(-value)));
  const largest = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
};

/** Return the place of the first largest of the numbers. */
export const largestOf = (numbers) => numbers.indexOf(Math.max(...numbers));
