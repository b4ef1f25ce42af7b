// The one place that runs models. It is a thread of its own, so that the page stays alive meanwhile.

import { feedsOf, logitsOf, prepared } from "./classifier.js";

const ERRORS = 3;
/** Of the severities that a session tells the console of: which nodes a GPU leaves out is none. */
const BUILDS = { wasm: "./vendor/ort.wasm.min.mjs", webgpu: "./vendor/ort.webgpu.min.mjs" };

let ort = null;
let executionProviders = [];

const opened = new Map();

const since = (start) => (performance.now() - start) / 1000;

const start = async ({ threads, provider }) => {
  ort = await import(BUILDS[provider]);
  ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  executionProviders = [provider];
  return {};
};

const load = async ({ contract }) => {
  const begun = performance.now();
  const answer = await fetch(contract.file);
  if (!answer.ok) throw new Error(`${contract.file} cannot be loaded (HTTP ${answer.status})`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const [fetch_s, compiling] = [since(begun), performance.now()];
  const session = await ort.InferenceSession.create(bytes, { executionProviders, logSeverityLevel: ERRORS });
  opened.set(contract.file, { session, contract });
  return { fetch_s, open_s: since(compiling) };
};

// Timed as in Python: normalisation and the model, one clip at a time, no padding.
const run = async ({ file, samples }) => {
  const { session, contract } = opened.get(file);
  const begun = performance.now();
  const feeds = feedsOf(ort, prepared(samples, contract), contract);
  const outputs = await session.run(feeds, [contract.output]);
  const output = outputs[contract.output];
  const logits = logitsOf(output.data, contract);
  const took_s = since(begun);
  for (const tensor of [output, ...Object.values(feeds)]) tensor.dispose();
  return { logits, took_s };
};

const isOdd = (bits) => {
  let folded = bits ^ (bits >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return (0x6996 >>> (folded & 15)) & 1;
};

// See MASKS of serval.web.clips; what is not finite counts as 0.
const sumsOf = (data, masks) => {
  const sums = masks.map(() => 0);
  data.forEach((raw, place) => {
    const value = Number(raw);
    if (!Number.isFinite(value)) return;
    for (let k = 0; k < masks.length; k += 1) sums[k] += isOdd(place & masks[k]) ? -value : value;
  });
  return sums;
};

// Every node as it stands in the file: what ONNX Runtime would rewrite has been rewritten.
const trace = async ({ contract, file, samples, names, masks }) => {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file} cannot be loaded (HTTP ${answer.status})`);
  const session = await ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()), {
    executionProviders, logSeverityLevel: ERRORS, graphOptimizationLevel: "disabled",
  });
  const feeds = feedsOf(ort, prepared(samples, contract), contract);
  const made = { ...feeds, ...await session.run(feeds, names.filter((name) => !(name in feeds))) };
  const told = names.map((name) => ({ shape: [...made[name].dims], sums: sumsOf(made[name].data, masks) }));
  for (const tensor of Object.values(made)) tensor.dispose();
  await session.release();
  return told;
};

const CALLS = { start, load, run, trace };

const answered = async ({ id, call, ...rest }) => {
  try {
    postMessage({ id, answer: await CALLS[call](rest) });
  } catch (error) {
    postMessage({ id, fault: String(error?.message ?? error) });
  }
};

// One after the other: the runtime runs one session at a time.
let last = Promise.resolve();
addEventListener("message", ({ data }) => {
  last = last.then(() => answered(data));
});
