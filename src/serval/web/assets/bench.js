// How long one clip takes here, as `serval bench` measures it: every model and number of threads in
// every round, so that their ratios hold on a phone that grows hot.

import { openRuntime } from "./runtime.js";

const SCHEMA_VERSION = 1;

/** What is measured: all durations, or a few. */
export const PACES = {
  full: { durations: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], warm_up: 2, fewest: 5, most: 30, budget_s: 60 },
  quick: { durations: [1, 3, 5, 10], warm_up: 1, fewest: 3, most: 6, budget_s: 10 },
};

/** Return the value below which a share of the sorted numbers lies, between its neighbours. */
const quantile = (sorted, share) => {
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place % 1);
};

/** Return `serval.bench.rounds.timing_of`. */
export const timingOf = (seconds) => {
  const sorted = [...seconds].sort((a, b) => a - b);
  const [p25, p50, p75, p90, p95] = [0.25, 0.5, 0.75, 0.9, 0.95].map((share) => quantile(sorted, share));
  const p99 = sorted.length >= 100 ? quantile(sorted, 0.99) : null;
  return {
    n: sorted.length, min_s: sorted[0], median_s: p50, spread: (p75 - p25) / p50,
    p50_s: p50, p90_s: p90, p95_s: p95, p99_s: p99,
  };
};

const noise = (length) => {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.2 * (state / 2 ** 31 - 1);
  });
};

const durationsOf = (contract, pace) => {
  const fixed = contract.static_samples && contract.static_samples / contract.sample_rate;
  return fixed ? [fixed] : pace.durations.filter((seconds) => seconds <= contract.max_seconds);
};

const worksOf = (contracts, runtimes, pace) =>
  contracts.flatMap((contract) => durationsOf(contract, pace).flatMap((seconds) =>
    runtimes.map((runtime) => ({
      contract, runtime, seconds, times: [],
      samples: noise(Math.round(seconds * contract.sample_rate)),
    }))));

const timed = async ({ contract, runtime, samples }) => (await runtime.answer(contract, samples)).took_s;

// Every work once; the order turns by one place a round.
const round = async (works, number, isStopped) => {
  const turn = number % works.length;
  const times = new Map();
  for (const work of [...works.slice(turn), ...works.slice(0, turn)]) {
    if (isStopped()) return;
    times.set(work, await timed(work));
  }
  for (const [work, took] of times) work.times.push(took);
};

const measured = async (works, pace, tell, isStopped) => {
  for (let n = 0; n < pace.warm_up; n += 1) {
    for (const work of works) {
      if (isStopped()) return;
      tell(`warming up: ${work.contract.name}, ${work.seconds} s`);
      await timed(work);
    }
  }
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  for (let n = 0; n < pace.most && (n < pace.fewest || elapsed() < pace.budget_s) && !isStopped(); n += 1) {
    tell(`round ${n + 1}, ${elapsed().toFixed(0)} s`);
    await round(works, n, isStopped);
  }
};

const ratioOf = (of, to, ours, theirs) => {
  const ratios = ours.map((time, n) => theirs[n] / time).sort((a, b) => a - b);
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share));
  const apart = Math.abs(median - 1) > high - low;
  return { of, to, median: apart ? median : null, low, high, n: ratios.length, told_apart: apart };
};

/** Return the times of all durations together, round by round. */
const totals = (works) => works[0].times.map((_, n) => works.reduce((sum, work) => sum + work.times[n], 0));

/** Return how many times faster one thing is than another, over the durations that both have. */
const ratioBetween = (works, [of, isOf], [to, isTo]) => {
  const [ours, theirs] = [works.filter(isOf), works.filter(isTo)];
  const shared = ({ seconds }) => (work) => work.seconds === seconds;
  const both = ours.filter((work) => theirs.some(shared(work)));
  if (!both.length) return [];
  return [ratioOf(of, to, totals(both), totals(both.map((work) => theirs.find(shared(work)))))];
};

const ratiosOf = (works, contracts, runtimes) => {
  const is = (contract, runtime) => (work) => work.contract === contract && work.runtime === runtime;
  const [first, ...others] = contracts;
  const [one, ...more] = runtimes;
  const ratios = {};
  for (const runtime of others.length ? runtimes : []) {
    ratios[runtime.provider === "wasm" ? `latency, threads ${runtime.threads}` : `latency, ${runtime.name}`] = others.flatMap((other) =>
      ratioBetween(works, [other.name, is(other, runtime)], [first.name, is(first, runtime)]));
  }
  for (const contract of more.length ? contracts : []) {
    ratios[`threads of ${contract.name}`] = more.flatMap((several) =>
      ratioBetween(works, [several.name, is(contract, several)], [one.name, is(contract, one)]));
  }
  return ratios;
};

/** Return what the browser tells of itself and of the device, which is not much. */
const browserFacts = async () => {
  const agent = navigator.userAgentData;
  const told = await agent?.getHighEntropyValues(["architecture", "model", "platformVersion"]).catch(() => ({}));
  return {
    user_agent: navigator.userAgent,
    brands: agent?.brands.map(({ brand, version }) => `${brand} ${version}`) ?? [],
    platform: agent?.platform ?? navigator.platform ?? "",
    platform_version: told?.platformVersion ?? "",
    architecture: told?.architecture ?? "",
    device: told?.model ?? "",
    is_mobile: agent?.mobile ?? /Mobi/.test(navigator.userAgent),
    logical_processors: navigator.hardwareConcurrency ?? null,
    device_memory_gb: navigator.deviceMemory ?? null,
  };
};

/** Return the page's memory in MB (10^6 bytes), or `null` where the browser does not tell in time. */
const memory = async () => {
  if (!globalThis.crossOriginIsolated || !performance.measureUserAgentSpecificMemory) return null;
  const late = new Promise((resolve) => { setTimeout(() => resolve(null), 8000); });
  const told = await Promise.race([performance.measureUserAgentSpecificMemory().catch(() => null), late]);
  return told && told.bytes / 1e6;
};

const documentOf = async (site, pace, { works, contracts, runtimes, loading }) => ({
  schema_version: SCHEMA_VERSION,
  kind: "browser",
  made: new Date().toISOString(),
  serval: site.version,
  runtime: {
    onnxruntime_web: site.runtime, provider: [...new Set(runtimes.map(({ provider }) => provider))].join(" and "), simd: true,
    is_isolated: Boolean(globalThis.crossOriginIsolated), threads: runtimes.map(({ threads }) => threads),
  },
  browser: await browserFacts(),
  disclosure: {
    batch: 1, warm_up_rounds: pace.warm_up,
    order: "all models in every round, the order turning by one place a round",
    scope: "model only: normalisation and the model, one clip at a time, no padding",
  },
  models: Object.fromEntries(contracts.map(({ name, sha256, size_bytes }) => [name, { name, sha256, size_bytes }])),
  latency: works.map(({ contract, runtime, seconds, times }) => {
    const timing = timingOf(times);
    return { model: contract.name, threads: runtime.threads, provider: runtime.provider, seconds, ...timing, rtf: timing.median_s / seconds };
  }),
  loading,
  memory_mb: await memory(),
  ratios: ratiosOf(works, contracts, runtimes),
});

/**
 * Return the benchmark of all models in plain JSON types, or `null` if `isStopped` said so.
 *
 * `setups` are `[threads, provider]`, each with a runtime of its own, the first of them that with
 * one thread. `tell` gets a line on what is going on.
 */
export const benched = async (site, pace, setups, tell, isStopped) => {
  const runtimes = setups.map((setup) => openRuntime(...setup));
  const contracts = site.models;
  try {
    const loading = {};
    for (const contract of contracts) {
      for (const runtime of runtimes) {
        tell(`opening ${contract.name}`);
        loading[contract.name] ??= {};
        loading[contract.name][runtime.provider === "wasm" ? `threads ${runtime.threads}` : runtime.name] = await runtime.load(contract);
      }
    }
    const works = worksOf(contracts, runtimes, pace);
    await measured(works, pace, tell, isStopped);
    if (isStopped() || !works[0].times.length) return null;
    tell("asking for the memory");
    return await documentOf(site, pace, { works, contracts, runtimes, loading });
  } finally {
    for (const runtime of runtimes) runtime.close();
  }
};
