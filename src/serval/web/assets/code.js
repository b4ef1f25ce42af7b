// What was measured as a line of text and as a QR code, for a device that has no other way out.
// `serval.bench.browser` reads the line.

const MOST_CHARACTERS = 1700;
/** A code of more has modules too small for a camera that looks at a phone. */
const TIMES = ["min_s", "p50_s", "p90_s", "p95_s"];
const EDGE = 4;
/** Modules of white around a code, which readers need. */

const digits = (value, n) => (value === null ? null : Number(value.toPrecision(n)));

const columnsOf = (rows, names) => ({
  model: rows.map((row) => names.indexOf(row.model)),
  threads: rows.map((row) => (row.provider === "webgpu" ? 0 : row.threads)),
  ...Object.fromEntries(["seconds", "n"].map((key) => [key, rows.map((row) => row[key])])),
  spread: rows.map((row) => Math.round(1000 * row.spread)),
  ...Object.fromEntries(TIMES.map((key) => [key, rows.map((row) => digits(1e6 * row[key], 4))])),
});

const shortOf = ({ made, serval, runtime, browser, models, latency, memory_mb, ratios }) => {
  const { brands, user_agent, ...device } = browser;
  return {
    made, serval, runtime, memory_mb: digits(memory_mb, 4),
    browser: { brand: brands.findLast((brand) => !brand.includes("Not")) ?? user_agent, ...device },
    models: Object.values(models).map(({ name, sha256, size_bytes }) => [name, sha256, size_bytes]),
    latency: columnsOf(latency, Object.keys(models)),
    ratios: Object.fromEntries(Object.entries(ratios).map(([what, all]) => [what, all.map(
      ({ of, to, median, low, high, n }) => [of, to, digits(median, 3), digits(low, 3), digits(high, 3), n])])),
  };
};

const deflated = async (text) => {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
};

/** Return a measurement as one line of letters, digits, `-`, `_` and `.`. */
export const lineOf = async (told) => {
  const bytes = await deflated(JSON.stringify(shortOf(told)));
  const text = btoa(String.fromCharCode(...bytes));
  return `serval-bench-1.${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
};

const svg = (tag, attributes) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

/** Return the QR code of a line as a picture; an Error says that the line is too long for one. */
export const codeOf = async (line) => {
  if (line.length > MOST_CHARACTERS) {
    throw new Error(`This measurement has ${line.length} characters, too many for a code that a camera reads: copy or download it instead.`);
  }
  const { default: qrcode } = await import("./vendor/qrcode.mjs");
  const code = qrcode(0, "L");
  code.addData(line);
  code.make();
  const n = code.getModuleCount();
  const places = Array.from({ length: n }, (_, at) => at);
  const dark = places.flatMap((row) => places.filter((column) => code.isDark(row, column))
    .map((column) => `M${column + EDGE} ${row + EDGE}h1v1h-1z`));
  const picture = svg("svg", { viewBox: `0 0 ${n + 2 * EDGE} ${n + 2 * EDGE}`, role: "img", "aria-label": "QR code of this measurement", "shape-rendering": "crispEdges" });
  picture.append(svg("rect", { width: "100%", height: "100%", fill: "#fff" }), svg("path", { d: dark.join(""), fill: "#000" }));
  return picture;
};
