// How each kind of chart is drawn from its rows by Observable Plot. Colours are the page's own.

const COLOURS = ["var(--a)", "var(--b)"];
const colourOf = (row) => COLOURS[Math.max(0, content.runs.findIndex((run) => run.name === row.run))];
const SHARE_AXIS = { tickFormat: (v) => `${Number((100 * v).toFixed(1))} %`, grid: true };
const GRID = { stroke: "currentColor", strokeOpacity: 0.12 };

const STYLE = { fontSize: "12px", overflow: "visible" };

// Room for names at the left: about seven pixels a letter, at most 40 % of the width.
const roomFor = (names, width) => Math.min(0.4 * width, 16 + 7 * Math.max(...names.map((name) => name.length)));

const spanTitle = (row, what, kind = "share") =>
  `${what}: ${shown(row.value, kind)}${known(row.low) ? ` (${shown(row.low, kind)} to ${shown(row.high, kind)})` : ""}`;

// What the values of a chart are: shares or points, correlations or their differences.
const kindOf = (chart) => chart.columns.find((column) => column.key === "value").kind;

const axisOf = (kind) => (kind === "share" ? SHARE_AXIS : { grid: true });

const perClassMarks = (rows) => [
  Plot.gridX(GRID),
  Plot.barX(rows, { x: "value", y: "series", fy: "label", fill: (row) => row.fill, inset: 0.5,
    title: (row) => `${row.label}, ${spanTitle(row, row.series)}`, tip: true }),
  Plot.ruleY(rows.filter((row) => known(row.low)), { x1: "low", x2: "high", y: "series", fy: "label", stroke: "currentColor", strokeWidth: 1.4 }),
  Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.4 }),
];

const perClass = (chart, width) => {
  const shades = { recall: "var(--a)", precision: "var(--b)", F1: "var(--c)" };
  const rows = content.runs.length > 1
    ? chart.rows.filter((row) => row.metric === "recall").map((row) => ({ ...row, series: row.run, fill: colourOf(row) }))
    : chart.rows.map((row) => ({ ...row, series: row.metric, fill: shades[row.metric] }));
  const kinds = new Set(rows.map((row) => row.series)).size;
  return Plot.plot({
    style: STYLE, width, height: content.labels.length * (13 * kinds + 10) + 45, marginLeft: roomFor(content.labels, width), marginRight: 20, marginTop: 8,
    x: { domain: [0, 1], label: null, ...SHARE_AXIS }, y: { axis: null, domain: [...new Set(rows.map((row) => row.series))], padding: 0.05 },
    fy: { label: null, axis: "left", domain: content.labels, padding: 0.18, tickFormat: fitting(content.labels, 0.4 * width) }, marks: perClassMarks(rows),
  });
};

const reliability = (chart, width) => Plot.plot({
  style: STYLE, width, height: Math.min(width, 380), marginLeft: 48, marginBottom: 40,
  x: { domain: [0, 1], label: "confidence →", ...SHARE_AXIS }, y: { domain: [0, 1], label: "↑ share that is right", ...SHARE_AXIS },
  marks: [
    Plot.gridX(GRID), Plot.gridY(GRID),
    Plot.line([[0, 0], [1, 1]], { stroke: "currentColor", strokeDasharray: "4 4", strokeOpacity: 0.6 }),
    Plot.line(chart.rows, { x: "confidence", y: "value", z: "run", stroke: colourOf }),
    Plot.ruleX(chart.rows.filter((row) => known(row.low)), { x: "confidence", y1: "low", y2: "high", stroke: colourOf, strokeWidth: 2, strokeOpacity: 0.5 }),
    Plot.dot(chart.rows, { x: "confidence", y: "value", r: 4.5, fill: colourOf, tip: true,
      title: (row) => `said ${percent(row.confidence)}, ${spanTitle(row, "was right")}\n${counted(row.clips, "clip")}` }),
  ],
});

const risk = (chart, width) => Plot.plot({
  style: STYLE, width, height: Math.min(width, 380), marginLeft: 48, marginBottom: 40,
  x: { label: "share of clips that it answers →", ...SHARE_AXIS },
  y: { label: "↑ share that is right", nice: true, ...SHARE_AXIS },
  marks: [
    Plot.gridX(GRID), Plot.gridY(GRID),
    Plot.areaY(chart.rows, { x: "coverage", y1: "low", y2: "high", z: "run", fill: colourOf, fillOpacity: 0.13 }),
    Plot.line(chart.rows, { x: "coverage", y: "value", z: "run", stroke: colourOf, strokeWidth: 2.2 }),
    Plot.dot(chart.rows, { x: "coverage", y: "value", r: 4.5, fill: colourOf, tip: true,
      title: (row) => `answers ${percent(row.coverage)} of the clips, those of which it is at least ${percent(row.threshold)} sure\n${spanTitle(row, "right")}` }),
  ],
});

const intervals = (chart, width) => {
  const runs = [...new Set(chart.rows.map((row) => row.run))];
  const names = [...new Set(chart.rows.map((row) => row.label))];
  const kind = kindOf(chart);
  const least = kind === "share" ? 0 : -1;
  return Plot.plot({
    style: STYLE, width, height: names.length * (runs.length * 17 + 9) + 42, marginLeft: roomFor(names, width), marginTop: 6,
    marginRight: 20,
    x: { label: null, domain: d3.nice(Math.max(least, d3.min(chart.rows, (r) => r.low ?? r.value) - 0.02), Math.min(1, d3.max(chart.rows, (r) => r.high ?? r.value) + 0.02), 6), ...axisOf(kind) },
    y: { axis: null, domain: runs, padding: 0.3 }, fy: { label: null, axis: "left", domain: names, padding: 0.1, tickFormat: fitting(names, 0.4 * width) },
    marks: [
      Plot.gridX(GRID),
      chart.reference === null ? null : Plot.ruleX([chart.reference], { stroke: "currentColor", strokeDasharray: "4 4", strokeOpacity: 0.5 }),
      Plot.ruleY(chart.rows.filter((row) => known(row.low)), { x1: "low", x2: "high", y: "run", fy: "label", stroke: colourOf, strokeWidth: 2.5, strokeOpacity: 0.6 }),
      Plot.dot(chart.rows, { x: "value", y: "run", fy: "label", r: 5, fill: colourOf, tip: true,
        title: (row) => `${spanTitle(row, row.label, kind)}\n${counted(row.clips, "clip")}` }),
    ].filter(Boolean),
  });
};

// What stands at an axis for each name, in so many pixels.
const fitting = (names, room) => {
  const short = shortened(names, Math.max(6, Math.floor((room - 16) / 7)));
  return (name) => short.get(name);
};

// Dots that share a place are stacked: the strip is as high as the highest stack, up to a limit from
// which on all dots become smaller.
const STRIP = { least: 120, most: 400, letters: 34 };

const stacked = (rows, width, radius) => {
  const step = 2 * radius({ clips: d3.median(rows, (row) => row.clips) });
  const places = d3.rollups(rows, (own) => d3.sum(own, (row) => 2 * radius(row) + 1), (row) => row.run, (row) => Math.round((row.value * width) / step));
  return d3.max(places, ([, stacks]) => d3.max(stacks, ([, height]) => height));
};

const speakers = (chart, width) => {
  const runs = [...new Set(chart.rows.map((row) => row.run))];
  const largest = d3.max(chart.rows, (row) => row.clips);
  const wanted = (row) => 2.2 + 5.5 * Math.sqrt(row.clips / largest);
  const needed = stacked(chart.rows, width, wanted);
  const scale = Math.min(1, STRIP.most / needed);
  const height = Math.max(STRIP.least, Math.min(STRIP.most, needed) + STRIP.letters);
  const least = Math.min(0.9, Math.floor(10 * d3.min(chart.rows, (row) => row.value)) / 10);
  return Plot.plot({
    style: STYLE, width, height: runs.length * height + 45, marginTop: 14, marginBottom: 40,
    x: { domain: [least, 1], inset: 10, label: "accuracy of one speaker →", ...SHARE_AXIS },
    fy: { label: null, domain: runs, axis: runs.length > 1 ? "left" : null, tickFormat: (name) => "AB"[runs.indexOf(name)] }, marginLeft: 30, marginRight: 20,
    r: { type: "identity" },
    marks: [
      Plot.gridX(GRID),
      Plot.dot(chart.rows, Plot.dodgeY({ anchor: "middle", padding: scale }, { x: "value", fy: "run", r: (row) => scale * wanted(row),
        fill: colourOf, fillOpacity: 0.72, stroke: "var(--card)", strokeWidth: 0.6, tip: true,
        title: (row) => `${row.speaker}: ${percent(row.value)} of ${counted(row.clips, "clip")}` })),
    ],
  });
};

const latency = (chart, width) => Plot.plot({
  style: STYLE, width, height: 250, marginLeft: 48, marginBottom: 40,
  x: { label: "time in the model, ms →" }, y: { label: "↑ clips", grid: true },
  marks: [
    Plot.gridY(GRID),
    Plot.rectY(chart.rows.filter((row) => !row.beyond), { x1: "from_ms", x2: "to_ms", y2: "clips", y1: 0, fill: colourOf, fillOpacity: content.runs.length > 1 ? 0.6 : 0.9,
      inset: 0.5, tip: true, title: (row) => `${counted(row.clips, "clip")} took ${row.from_ms} to ${row.to_ms} ms` }),
    Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.4 }),
  ],
});

// Every difference and the usual interval whole: one rare emotion, whose interval is many times as
// long, runs out of the picture instead of setting the scale.
const reachOf = (chart) => {
  const ends = chart.rows.filter((row) => known(row.low)).map((row) => Math.max(Math.abs(row.low), Math.abs(row.high)));
  return 1.1 * Math.max(d3.max(chart.rows, (row) => Math.abs(row.value ?? 0)), 2 * (d3.median(ends) ?? 0), 1.5 * chart.margin);
};

const differences = (chart, width) => {
  const names = chart.rows.map((row) => row.label);
  const bare = (name) => name.replace(/^recall of /, "");
  const written = fitting(width < 480 ? names.map(bare) : names, 0.4 * width);
  const reach = reachOf(chart);
  const kind = kindOf(chart);
  const ticks = kind === "points" ? (v) => `${signOf(v)}${Number(Math.abs(100 * v).toFixed(1))}` : (v) => `${signOf(v)}${Number(Math.abs(v).toFixed(3))}`;
  const inside = (x) => Math.max(-reach, Math.min(reach, x));
  const drawn = chart.rows.filter((row) => known(row.low));
  const out = (key, sign, text) => Plot.text(drawn.filter((row) => sign * row[key] > reach),
    { x: sign * reach, y: "label", text: () => text, textAnchor: sign > 0 ? "start" : "end", fill: "var(--b)", fontWeight: 700, fontSize: 15 });
  return Plot.plot({
    style: STYLE, width, height: names.length * 26 + 52, marginTop: 6, marginBottom: 40, marginLeft: roomFor(names, width), marginRight: 24,
    x: { label: `${chart.columns.find((column) => column.key === "value").title} →`, domain: [-reach, reach], tickFormat: ticks, tickSpacing: kind === "points" ? 50 : 70, grid: true },
    y: { label: null, domain: names, axis: "left", tickSize: 0, tickFormat: (name) => written(width < 480 ? bare(name) : name) },
    marks: [
      Plot.rectX([0], { x1: -chart.margin, x2: chart.margin, fill: "currentColor", fillOpacity: 0.12, className: "margin" }),
      Plot.gridX(GRID),
      Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.7 }),
      Plot.ruleY(drawn, { x1: (row) => inside(row.low), x2: (row) => inside(row.high), y: "label", stroke: "var(--b)", strokeWidth: 2.5, strokeOpacity: 0.6 }),
      out("low", -1, "‹"), out("high", 1, "›"),
      Plot.dot(chart.rows, { x: "value", y: "label", r: 5, fill: "var(--b)", tip: true,
        title: (row) => spanTitle(row, row.label, kind) }),
    ],
  });
};

const degradation = (chart, width) => Plot.plot({
  style: STYLE, width, height: 270, marginLeft: 48, marginBottom: 40,
  x: { label: `${chart.columns.find((c) => c.key === "level").title} →`, ticks: [...new Set(chart.rows.map((row) => row.level))] },
  y: { label: "↑ UAR", nice: true, ...SHARE_AXIS },
  marks: [
    Plot.gridY(GRID),
    Plot.ruleY([chart.reference], { stroke: "currentColor", strokeDasharray: "4 4", strokeOpacity: 0.6 }),
    Plot.line(chart.rows, { x: "level", y: "value", z: "run", stroke: colourOf, strokeWidth: 2.2 }),
    Plot.ruleX(chart.rows.filter((row) => known(row.low)), { x: "level", y1: "low", y2: "high", stroke: colourOf, strokeWidth: 2, strokeOpacity: 0.5 }),
    Plot.dot(chart.rows, { x: "level", y: "value", r: 4.5, fill: (row) => (row.few ? "var(--card)" : colourOf(row)), stroke: colourOf, strokeWidth: 1.6,
      tip: true, title: (row) => `${row.level}: ${spanTitle(row, "UAR")}\n${counted(row.clips, "clip")}` }),
  ],
});

const DRAWN = { perClass, reliability, risk, intervals, speakers, latency, differences, degradation, predicted, residuals, agreement };
