// The page's side of the thread that runs models.

import { largestOf, probabilitiesOf } from "./classifier.js";

const MOST_THREADS = 4;
/** More than the fast cores of a phone only wait for the slow ones. */

/** Threads that a session may use: several only where the host isolates the page's origin. */
export const mostThreads = () =>
  globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;

/** Return why the page cannot compute on a GPU, or `null` where it can. */
export const gpuFault = async () => {
  if (!navigator.gpu) return "this browser has no WebGPU, or the page did not come by https";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter ? null : "this device gives the browser no WebGPU adapter";
};

/**
 * Return a runtime with that many threads inside one operator, on a `provider`: `wasm`, `webgpu`.
 *
 * `load(contract)` resolves with `{fetch_s, open_s}`, `answer(contract, samples)` with
 * `{logits, probabilities, label, took_s}`; calls are answered in the order in which they came.
 */
export const openRuntime = (threads, provider = "wasm") => {
  const worker = new Worker(new URL("./runtime-worker.js", import.meta.url), { type: "module" });
  const waiting = new Map();
  let last = 0;
  const call = (name, rest = {}) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      worker.postMessage({ id: last, call: name, ...rest });
    });
  worker.addEventListener("message", ({ data }) => {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.fault === undefined) resolve(data.answer);
    else reject(new Error(data.fault));
  });
  worker.addEventListener("error", (event) => {
    for (const { reject } of waiting.values()) reject(new Error(event.message || "the runtime cannot be loaded"));
    waiting.clear();
  });
  const started = call("start", { threads, provider });
  const loads = new Map();
  const load = (contract) => {
    if (!loads.has(contract.file)) loads.set(contract.file, started.then(() => call("load", { contract })));
    return loads.get(contract.file);
  };
  const answer = async (contract, samples) => {
    await load(contract);
    const { logits, took_s } = await call("run", { file: contract.file, samples });
    const probabilities = probabilitiesOf(logits, contract.outputs);
    return { logits, probabilities, label: largestOf(logits), took_s };
  };
  /** Resolves with `{shape, sums}` of each tensor that a trace names, for samples. */
  const trace = (contract, { file, steps, masks }, samples) =>
    call("trace", { contract, file, samples, masks, names: steps.map(({ output }) => output) });
  const name = provider === "webgpu" ? "WebGPU" : `${threads} thread${threads === 1 ? "" : "s"}`;
  return { threads, provider, name, load, answer, trace, close: () => worker.terminate() };
};
