// Puts the page together: what each control does. The contract of the models is in `site.json`.

import { answerPanel, factor, milliseconds } from "./answer.js";
import { benched, PACES } from "./bench.js";
import { codeOf, lineOf } from "./code.js";
import { counted, download, el, isolated, option, tableOf } from "./dom.js";
import { listening } from "./listening.js";
import { compared, parityWords } from "./parity.js";
import { gpuFault, mostThreads, openRuntime } from "./runtime.js";
import { startTheme } from "./theme.js";
import { traced, traceWords } from "./trace.js";

const $ = (id) => document.getElementById(id);

const site = await (await fetch("site.json")).json();
const panel = answerPanel();
const threads = mostThreads();
let noGpu = site.webgpu ? await gpuFault() : null; // why the page does not compute on a GPU
let runtime = openRuntime(threads, site.webgpu && noGpu === null ? "webgpu" : "wasm");
let contract = site.models[0];

const chosen = () => ({ contract, window_s: Number($("window").value) });

const ears = listening(panel, () => runtime, chosen);

/** Do something that may fail; why it failed stands where the answer would. */
const tried = async (work) => {
  try {
    await work();
  } catch (error) {
    ears.stop();
    panel.fault(error.message);
    showMicrophone();
  }
};

const showMicrophone = () => {
  $("microphone").textContent = ears.isOpen() ? "Stop the microphone" : "Start the microphone";
  $("microphone").setAttribute("aria-pressed", ears.isOpen());
};

const enable = (ids, isOn) => {
  for (const id of ids) $(id).disabled = !isOn;
};

const CONTROLS = ["microphone", "file", "compare", "trace", "measure", "measure-quick"];

const traceOf = () => site.traces.find(({ model }) => model === contract.name);

/** Return how long the model took to open; where the GPU cannot run it, WebAssembly does. */
const opened = async () => {
  try {
    const times = await runtime.load(contract);
    if (runtime.provider === "webgpu") {
      const length = contract.static_samples ?? contract.sample_rate;
      await runtime.answer(contract, Float32Array.from({ length }, () => 0.2 * Math.random() - 0.1));
    }
    return times;
  } catch (error) {
    if (runtime.provider === "wasm") throw error;
    runtime.close();
    noGpu = `this GPU does not run the model (${error.message})`;
    runtime = openRuntime(threads);
    return runtime.load(contract);
  } finally {
    showThreads();
  }
};

const use = async (next) => {
  ears.stop();
  showMicrophone();
  contract = next;
  panel.use(contract);
  panel.clear("Opening the model");
  $("size").textContent = `${contract.name}, ${(contract.size_bytes / 1e6).toFixed(1)} MB`;
  showFacts();
  $("trace").hidden = !traceOf();
  const { fetch_s, open_s } = await opened();
  $("opened").textContent = milliseconds(fetch_s + open_s);
  panel.clear("No sound yet");
  $("answer").textContent = "Ready";
  enable(CONTROLS, true);
};

const hearFile = (file) =>
  tried(async () => {
    const heard = ears.hear(await file.arrayBuffer(), file.name);
    showMicrophone();
    await heard;
  });

const sampleButton = (clip) =>
  el("button", {
    type: "button",
    onclick: () => tried(async () => {
      const heard = ears.hear(await (await fetch(clip.file)).arrayBuffer(), clip.name);
      showMicrophone();
      await heard;
    }),
  }, clip.name);

const startListening = () => {
  $("microphone").addEventListener("click", () => tried(async () => {
    if (ears.isOpen()) {
      ears.stop();
      return showMicrophone();
    }
    $("source").textContent = "Asking for the microphone";
    return ears.listen(showMicrophone);
  }));
  $("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) hearFile(target.files[0]);
    target.value = "";
  });
  $("samples").replaceChildren(...site.samples.map(sampleButton));
  const drop = $("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) hearFile(event.dataTransfer.files[0]);
    });
  }
};

const startChoice = () => {
  $("choice").hidden = site.models.length < 2;
  $("model").replaceChildren(...site.models.map((model, at) => option(at, model.name)));
  $("model").addEventListener("change", ({ target }) => tried(() => use(site.models[target.value])));
};

const showFacts = () => {
  const many = contract.labels.length;
  const facts = [
    ["Model", `${contract.name}, ${(contract.size_bytes / 1e6).toFixed(1)} MB, as it is`],
    ["SHA-256", contract.sha256],
    ["Emotions", `${many}: ${contract.labels.join(", ")}`],
    ["Input", `${contract.sample_rate} Hz, one channel, normalised: ${contract.normalize}, up to ${contract.max_seconds} s`],
    ["Licence of the model", contract.licence],
    ["Sample clips", site.samples_licence],
    ["Network", "The page fetches its own files once, from where it came from, and sends nothing. Its Content-Security-Policy lets it connect to no other place."],
    ["Answers of Python", `made on ${site.machine}`],
  ];
  $("facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) =>
    [el("dt", {}, name), el("dd", {}, isolated(value))]));
};

const parityTable = (rows) =>
  tableOf(
    [
      { key: "name", title: "Clip", kind: "text" }, { key: "python", title: "Python", kind: "text" },
      { key: "here", title: "Here", kind: "text" }, { key: "difference", title: "Largest difference of a logit", kind: "number" },
    ],
    rows.map((row) => ({
      name: row.clip.name, python: contract.labels[row.expected], here: contract.labels[row.found], difference: row.difference,
    })));

/** Do something that takes the model for itself; what it says, and why it failed, stands in `words`. */
const alone = async (words, work) => {
  ears.stop();
  showMicrophone();
  enable(CONTROLS, false);
  const tell = (text) => { $(words).textContent = text; };
  try {
    await work(tell);
  } catch (error) {
    tell(error.message);
  }
  enable(CONTROLS, true);
};

const compareAll = () => alone("parity-words", async (tell) => {
  const rows = [];
  for await (const row of compared(contract, site.clips, runtime)) {
    rows.push(row);
    tell(`${rows.length} of ${site.clips.length}`);
  }
  tell(parityWords(rows, contract, Boolean(traceOf())));
  $("parity-rows").replaceChildren(parityTable(rows));
  $("parity-all").hidden = false;
});

const TRACE_COLUMNS = [
  { key: "node", title: "Node", kind: "text" }, { key: "op", title: "Operator", kind: "text" },
  { key: "difference", title: "Difference, of the RMS", kind: "number" }, { key: "says", title: "", kind: "text" },
];

const saysOf = ({ isOwn, differs }) => (isOwn ? "differs from equal inputs" : differs ? "differs after others" : "");

const traceAll = () => alone("trace-words", async (tell) => {
  tell("Running every node");
  const trace = traceOf();
  const rows = await traced(contract, trace, runtime);
  tell(traceWords(rows, trace.limit));
  $("trace-rows").replaceChildren(tableOf(TRACE_COLUMNS, rows.map((row) => ({ ...row, says: saysOf(row) }))));
  $("trace-all").hidden = false;
});

const startParity = () => {
  $("parity-lead").textContent =
    `${counted(site.clips.length, "clip")} go the whole way in this browser (decoding, resampling, the model) ` +
    `and their logits are compared with those that serval stored when it made this page, on ${site.machine}.`;
  $("compare").addEventListener("click", compareAll);
  $("trace").addEventListener("click", traceAll);
};

const COLUMNS = [
  { key: "model", title: "Model", kind: "text" }, { key: "threads", title: "Threads", kind: "text" },
  { key: "seconds", title: "Clip, s", kind: "number" }, { key: "p50", title: "p50, ms", kind: "number" },
  { key: "p90", title: "p90", kind: "number" }, { key: "p95", title: "p95", kind: "number" },
  { key: "rtf", title: "RTF", kind: "number" }, { key: "n", title: "n", kind: "count" },
];

const ms = (seconds) => Number((1000 * seconds).toPrecision(3));

// With fewer times such a quantile is only another name for the slowest: the rule of `serval bench`.
const FEWEST_FOR = { p90_s: 10, p95_s: 20 };

const quantileOf = (row, key) => (row.n >= FEWEST_FOR[key] ? ms(row[key]) : null);

const benchTable = (told) =>
  tableOf(COLUMNS, told.latency.map((row) => ({
    model: row.model, threads: row.provider === "webgpu" ? "WebGPU" : String(row.threads), seconds: row.seconds, n: row.n, rtf: Number(row.rtf.toPrecision(2)),
    p50: ms(row.p50_s), p90: quantileOf(row, "p90_s"), p95: quantileOf(row, "p95_s"),
  })));

const ratioWords = ({ of, to, median, low, high }) =>
  median === null
    ? `${of} and ${to} cannot be told apart.`
    : `${of} is ${median.toFixed(2)}x as fast as ${to} (quartiles ${low.toFixed(2)} to ${high.toFixed(2)}).`;

const benchWords = (told) => {
  const slowest = Math.max(...told.latency.map((row) => row.rtf));
  const ratios = Object.entries(told.ratios).flatMap(([what, all]) => all.map((ratio) => `${what}: ${ratioWords(ratio)}`));
  return [`Real-time factor at most ${factor(slowest)}.`, ...ratios].join("\n");
};

let told = null;
let isStopped = false;

const setups = () => [
  ...[...new Set([1, threads])].map((n) => [n, "wasm"]),
  ...(runtime.provider === "webgpu" ? [[1, "webgpu"]] : []),
];

const measure = (pace) => alone("bench-words", async (tell) => {
  isStopped = false;
  $("halt").hidden = false;
  try {
    told = await benched(site, pace, setups(), tell, () => isStopped);
    tell(told ? benchWords(told) : "Stopped; nothing was kept.");
    $("bench-rows").replaceChildren(...(told ? [benchTable(told)] : []));
    for (const id of ["copy", "save", "code", "bench-next", "bench-rows"]) $(id).hidden = !told;
    showCode(false);
  } finally {
    $("halt").hidden = true;
  }
});

const asText = () => `${JSON.stringify(told, null, 2)}\n`;

const copy = async () => {
  try {
    await navigator.clipboard.writeText(asText());
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "The browser does not allow it: download instead";
  }
};

const showCode = (isOn) => {
  $("code-card").hidden = !isOn;
  $("code").setAttribute("aria-expanded", isOn);
  $("code").textContent = isOn ? "Hide the QR code" : "Show as QR code";
};

const code = async () => {
  if (!$("code-card").hidden) return showCode(false);
  const line = await lineOf(told);
  $("code-picture").replaceChildren(await codeOf(line).catch((error) => error.message));
  $("code-line").textContent = line;
  return showCode(true);
};

const startBench = () => {
  $("measure").addEventListener("click", () => measure(PACES.full));
  $("measure-quick").addEventListener("click", () => measure(PACES.quick));
  $("halt").addEventListener("click", () => { isStopped = true; });
  $("copy").addEventListener("click", copy);
  $("code").addEventListener("click", code);
  $("save").addEventListener("click", () => download("phone.json", "application/json", asText()));
};

const showThreads = () => {
  const onGpu = runtime.provider === "webgpu";
  const isolation = globalThis.crossOriginIsolated
    ? `of ${counted(navigator.hardwareConcurrency, "logical processor")}`
    : "one, because the host does not isolate this page (COOP and COEP headers)";
  const lines = [onGpu ? "the GPU computes what it can, one thread the rest" : isolation];
  if (noGpu) lines.push(`no WebGPU: ${noGpu}`);
  $("threads").textContent = onGpu ? "WebGPU" : String(threads);
  $("isolation").textContent = lines.join("; ");
};

startTheme(panel.paint);
startListening();
startChoice();
startParity();
startBench();
showThreads();
addEventListener("resize", panel.paint);
await tried(() => use(contract));
document.documentElement.dataset.ready = "yes";
