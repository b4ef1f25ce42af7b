// A chart with what it says, its table, and both as files.

const figures = [];

const paintFigure = ({ chart, place }) => {
  const width = Math.max(260, Math.floor(place.clientWidth));
  const svg = DRAWN[chart.kind](chart, width);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${chart.title}. ${chart.note} Its numbers are in the table below.`);
  // Inside of a picture these names of marks would be read out as they are.
  for (const mark of svg.querySelectorAll("g[aria-label]")) mark.removeAttribute("aria-label");
  place.replaceChildren(svg);
};

const paintFigures = () => figures.forEach(paintFigure);

// One chart at a time, so that the page answers between two of them.
const paintInTurn = (at = 0) => {
  if (at >= figures.length) {
    document.documentElement.dataset.drawn = String(Math.round(performance.now()));
    return;
  }
  paintFigure(figures[at]);
  setTimeout(paintInTurn, 0, at + 1);
};

const svgOf = (tag, attributes, text = "") => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
};

// In a file the legend stands above the drawing, one entry below the other.
const LEGEND_LINE = 18;

const svgLegend = (entries, top) => entries.flatMap((entry, at) => [
  svgOf("rect", { x: 4, y: top + at * LEGEND_LINE + 4, width: 11, height: 11, fill: `var(--${"abc"[at]})` }),
  svgOf("text", { x: 21, y: top + at * LEGEND_LINE + 14, "font-size": 12, "text-anchor": "start", fill: "currentColor" }, entry),
]);

// The file has to look right without this page: variables become colours, the page's font is named.
const svgText = (chart, svg) => {
  const copy = svg.cloneNode(true);
  const entries = legendEntries(chart);
  const [width, height] = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  const above = entries.length * LEGEND_LINE;
  copy.setAttribute("height", height + above);
  copy.setAttribute("viewBox", `0 ${-above} ${width} ${height + above}`);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", colourNow("--ink"));
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.prepend(svgOf("rect", { y: -above, width, height: height + above, fill: "var(--card)" }), ...svgLegend(entries, -above));
  return new XMLSerializer().serializeToString(copy)
    .replace(/var\((--[a-z-]+)\)/g, (_, name) => colourNow(name));
};

const legendEntries = (chart) => {
  if (content.runs.length === 1) return chart.kind === "perClass" ? ["recall", "precision", "F1"] : [];
  if (["differences", "table", "agreement"].includes(chart.kind)) return [];
  return content.runs.map((run, side) => `${"AB"[side]} ${run.name}`);
};

const legendOf = (chart) => {
  const entries = legendEntries(chart);
  return entries.length ? el("div", { class: "legend" }, ...entries.map((entry, at) =>
    el("span", {}, el("i", { class: "abc"[at] }), entry))) : null;
};

const figureOf = (chart) => {
  const place = el("div", { class: "plot" });
  const columnsOf = chart.columns;
  if (DRAWN[chart.kind]) figures.push({ chart, place });
  const table = el("div", { class: "tall", tabindex: 0, role: "region", "aria-label": `Table: ${chart.title}` },
    tableOf(columnsOf, chart.rows));
  const tools = el("div", { class: "tools" },
    el("button", { type: "button", "aria-label": `${chart.title} as CSV`,
      onclick: () => download(`${chart.id}.csv`, "text/csv", csvOf(columnsOf, chart.rows)) }, "CSV"),
    DRAWN[chart.kind] ? el("button", { type: "button", "aria-label": `${chart.title} as SVG`,
      onclick: () => download(`${chart.id}.svg`, "image/svg+xml", svgText(chart, place.querySelector("svg"))) }, "SVG") : null);
  const open = !DRAWN[chart.kind];
  return el("figure", { class: `card chart${chart.wide ? " wide" : ""}`, id: `chart-${chart.id}` },
    el("figcaption", {}, el("h3", {}, chart.title), el("p", { class: "note" }, ...sentence(chart.note))),
    legendOf(chart), DRAWN[chart.kind] ? place : null,
    el("footer", {}, el("details", { open }, el("summary", {}, `Table (${counted(chart.rows.length, "row")})`), sideways(table)), tools));
};
